# Countries, by ISO 3166-1; one that is not here is shown by its code.

country-name = { $code ->
    [AD] Andorra
    [AE] United Arab Emirates
    [AL] Albania
    [AT] Austria
    [AU] Australia
    [BA] Bosnia and Herzegovina
    [BE] Belgium
    [BG] Bulgaria
    [BR] Brazil
    [CA] Canada
    [CH] Switzerland
    [CY] Cyprus
    [CZ] Czechia
    [DE] Germany
    [DK] Denmark
    [EE] Estonia
    [ES] Spain
    [FI] Finland
    [FR] France
    [GB] United Kingdom
    [GR] Greece
    [HK] Hong Kong
    [HR] Croatia
    [HU] Hungary
    [IE] Ireland
    [IL] Israel
    [IN] India
    [IS] Iceland
    [IT] Italy
    [JP] Japan
    [KR] South Korea
    [LI] Liechtenstein
    [LT] Lithuania
    [LU] Luxembourg
    [LV] Latvia
    [MC] Monaco
    [ME] Montenegro
    [MK] North Macedonia
    [MT] Malta
    [MX] Mexico
    [NL] Netherlands
    [NO] Norway
    [NZ] New Zealand
    [PL] Poland
    [PT] Portugal
    [RO] Romania
    [RS] Serbia
    [SE] Sweden
    [SG] Singapore
    [SI] Slovenia
    [SK] Slovakia
    [SM] San Marino
    [TR] Türkiye
    [UA] Ukraine
    [US] United States
    [ZA] South Africa
   *[other] { $code }
}
