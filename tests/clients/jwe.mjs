// Encrypted tokens as npm's `jose` reads and writes them: opens those of the file TOKENS, and
// encrypts a text to each key of KEYS. Prints what was inside, and the new tokens, as JSON.
import { readFileSync } from "node:fs";
import { CompactEncrypt, compactDecrypt, importJWK, importPKCS8 } from "jose";

const read = (name) => JSON.parse(readFileSync(process.env[name], "utf8"));
const opened = [];
for (const { token, alg, pem } of read("TOKENS")) {
  const { plaintext, protectedHeader } = await compactDecrypt(token, await importPKCS8(pem, alg));
  opened.push({ text: new TextDecoder().decode(plaintext), header: protectedHeader });
}
const sealed = [];
for (const { jwk, alg, enc } of read("KEYS")) {
  const contents = new TextEncoder().encode(`for ${alg} with ${enc}`);
  const encrypt = new CompactEncrypt(contents).setProtectedHeader({ alg, enc, kid: jwk.kid, cty: "JWT" });
  sealed.push(await encrypt.encrypt(await importJWK(jwk, alg)));
}
console.log(JSON.stringify({ opened, sealed }));
