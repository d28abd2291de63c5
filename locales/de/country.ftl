# Länder nach ISO 3166-1; eines, das fehlt, erscheint mit seinem Kürzel.

country-name = { $code ->
    [AD] Andorra
    [AE] Vereinigte Arabische Emirate
    [AL] Albanien
    [AT] Österreich
    [AU] Australien
    [BA] Bosnien und Herzegowina
    [BE] Belgien
    [BG] Bulgarien
    [BR] Brasilien
    [CA] Kanada
    [CH] Schweiz
    [CY] Zypern
    [CZ] Tschechien
    [DE] Deutschland
    [DK] Dänemark
    [EE] Estland
    [ES] Spanien
    [FI] Finnland
    [FR] Frankreich
    [GB] Vereinigtes Königreich
    [GR] Griechenland
    [HK] Hongkong
    [HR] Kroatien
    [HU] Ungarn
    [IE] Irland
    [IL] Israel
    [IN] Indien
    [IS] Island
    [IT] Italien
    [JP] Japan
    [KR] Südkorea
    [LI] Liechtenstein
    [LT] Litauen
    [LU] Luxemburg
    [LV] Lettland
    [MC] Monaco
    [ME] Montenegro
    [MK] Nordmazedonien
    [MT] Malta
    [MX] Mexiko
    [NL] Niederlande
    [NO] Norwegen
    [NZ] Neuseeland
    [PL] Polen
    [PT] Portugal
    [RO] Rumänien
    [RS] Serbien
    [SE] Schweden
    [SG] Singapur
    [SI] Slowenien
    [SK] Slowakei
    [SM] San Marino
    [TR] Türkei
    [UA] Ukraine
    [US] Vereinigte Staaten
    [ZA] Südafrika
   *[other] { $code }
}
