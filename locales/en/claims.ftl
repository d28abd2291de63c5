# What an app may be told about a person, one by one: lines of the consent and the account page.

claim-name = See your full name
claim-family-name = See your family name
claim-given-name = See your given name
claim-middle-name = See your middle name
claim-nickname = See your nickname
claim-preferred-username = See the short name you like to go by
claim-profile = See the address of your profile page
claim-picture = See your picture
claim-website = See the address of your website
claim-gender = See your gender
claim-birthdate = See your date of birth
claim-zoneinfo = See your time zone
claim-locale = See your language
claim-updated-at = See when your details last changed
claim-email = See your e-mail address
claim-email-verified = See whether your e-mail address was checked
claim-address = See your postal address
claim-phone-number = See your phone number
claim-phone-number-verified = See whether your phone number was checked
