-- Claims that a person agreed to one by one (OpenID Connect Core 5.5): their names, beside the
-- scopes. What exactly was asked may hold values about the person, and is sealed.

ALTER TABLE grants ADD COLUMN claims TEXT NOT NULL DEFAULT '';
ALTER TABLE authorizations ADD COLUMN claims BLOB;
