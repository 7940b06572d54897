"""The beginning of a file: how it would be read, what its columns seem to be, and what to know before importing it."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice

from chassis.errors import invalid
from profiles.domain.clients import is_email
from profiles.domain.import_encodings import UTF_8
from profiles.domain.import_lines import Delimited, JsonLines, Line, LineSplitter, Record, json_object
from profiles.domain.import_values import Ambiguous, day_of, payment_of, plain_letters
from profiles.domain.imports import DateOrder, FileUnreadable, ImportFormat

_MOST_RECORDS = 1000
_MOST_SAMPLES = 5
_LONGEST_SAMPLE = 80
_DAYS = ("purchase_date", "birthday", "anniversary")
_PHONES = ("phone", "phone_2", "phone_3")
_EMAILS = ("email", "email_2")
_YEAR_LAST = re.compile(r"(\d\d?)[-/.](\d\d?)[-/.]\d{4}\b")
_DECIMAL_COMMA = re.compile(r"\d,\d{1,2}$")

# What headers call a field, in lower case without accents, blanks and punctuation. English, German, French, Spanish,
# Italian, Portuguese and Dutch; and the exports of common points of sale, shops and ERP systems.
_SYNONYMS = {
    "client_external_id": "clientexternalid clientid client clientno clientnumber clientcode customerid customerno"
    " customernumber customercode customer custid custno custnum custcode cust accountnumber accountno acctno account"
    " contactid contactno personid patronid memberid loyaltyid referenceid selltocustomerno billtocustomerno no"
    " kundennr kundennummer kundenid kunde debitor debitorennr debitorennummer debitornr numeroclient nclient noclient"
    " codeclient idclient refclient idcliente codigocliente numerocliente nocliente cliente codicecliente clientenr"
    " klantnummer klantnr klantid klant",
    "given_name": "givenname firstname first fname forename custfirstname customerfirstname vorname prenom nombre nome"
    " voornaam primeironome",
    "family_name": "familyname lastname last lname surname custlastname customerlastname nachname familienname zuname"
    " nom nomdefamille apellido apellidos cognome sobrenome apelido achternaam",
    "full_name": "fullname name name1 customername clientname custname contactname displayname billingname"
    " kundenname vorundnachname nomcomplet nomprenom nombrecompleto nombreyapellidos nominativo nomecompleto"
    " nomecognome naam volledigenaam",
    "nickname": "nickname preferredname knownas goesby rufname spitzname surnom apodo soprannome apelidos roepnaam",
    "phone": "phone phone1 phonenumber phoneno tel telephone telephone1 telephonenumber mobile mobilephone mobileno"
    " mobilephoneno mobilenumber cell cellphone cellular primaryphone contactphone telefon telefonnummer telefonnr"
    " handy handynummer mobil mobiltelefon mobilnummer portable telephoneportable mobilephone1 numerodetelephone"
    " telefono movil telefonomovil celular telefonocellulare cellulare telemovel telefone telefoon telefoonnummer gsm"
    " mobiel mobielnummer",
    "phone_2": "phone2 secondaryphone otherphone homephone hometel telephone2 telefon2 telefonprivat festnetz"
    " telephonefixe fixe telefono2 telefonofijo telefonocasa telefoon2 telefoonthuis phonehome",
    "phone_3": "phone3 workphone businessphone officephone telephone3 telefon3 telefongeschaeftlich"
    " telefongeschaftlich telefono3 telefonotrabajo telefoon3 telefoonwerk phonework",
    "email": "email emailaddress emailaddr email1 mail mailaddress primaryemail customeremail custemail emailadresse"
    " mailadresse courriel adresseemail adressemail correo correoelectronico correoe indirizzoemail postaelettronica"
    " enderecoemail emailadres epost",
    "email_2": "email2 secondaryemail otheremail emailwork emailprivat courriel2 correo2",
    "language": "language languagecode lang locale preferredlanguage sprache sprachcode langue idioma lingua taal",
    "birthday": "birthday birthdate dateofbirth dob bday geburtstag geburtsdatum datedenaissance datenaissance"
    " naissance anniversaire fechadenacimiento fechanacimiento nacimiento cumpleanos datadinascita datanascita"
    " compleanno datadenascimento datanascimento nascimento aniversario geboortedatum verjaardag",
    "anniversary": "anniversary anniversarydate weddinganniversary weddingdate weddingday hochzeitstag"
    " datedemariage anniversairedemariage aniversariodeboda fechadeboda anniversariodimatrimonio"
    " aniversariodecasamento trouwdag trouwdatum",
    "tags": "tags tag labels customertags segment segments customergroup group kundengruppe etiquettes etiquetas"
    " etichette",
    "address_line_1": "addressline1 address1 address street street1 streetaddress addr1 addr line1 billingaddress1"
    " strasse str strassehausnummer strasseundhausnummer adresse adresse1 anschrift rue voie direccion direccion1"
    " calle indirizzo via endereco morada rua adres straat",
    "address_line_2": "addressline2 address2 street2 addr2 line2 apartment apt suite unit billingaddress2 adresszusatz"
    " adresse2 complementadresse complement direccion2 piso interno complemento toevoeging",
    "locality": "locality city town suburb billingcity ort stadt wohnort ville commune ciudad poblacion localidad"
    " citta comune cidade localidade stad plaats woonplaats",
    "region": "region state province county stateprovince provincecode billingstate bundesland kanton departement"
    " provincia estado comunidad regione distrito provincie",
    "postal_code": "postalcode postcode zip zipcode zippostal billingzip plz postleitzahl codepostal cp codigopostal"
    " cap codiceavviamentopostale codigopostale",
    "country": "country countrycode countryregion countryregioncode billingcountry land landcode pays paese pais",
    "ring_size": "ringsize ring fingersize ringgroesse ringgrosse ringweite taillebague tailledebague tailledoigt"
    " tallaanillo tallaanel medidaanillo misuraanello aro tamanhoanel ringmaat",
    "preferred_metal": "preferredmetal metalpreference favoritemetal favouritemetal lieblingsmetall metalprefere"
    " metalpreferido metallopreferito",
    "preferred_stone": "preferredstone stonepreference favoritestone favouritestone lieblingsstein pierrepreferee"
    " piedrapreferida pietrapreferita pedrapreferida",
    "note": "note notes comment comments remark remarks memo customernote notiz notizen bemerkung bemerkungen"
    " kommentar remarque remarques commentaire nota notas observaciones osservazioni observacoes opmerking opmerkingen",
    "associate_email": "associateemail salespersonemail employeeemail staffemail selleremail verkaeuferemail"
    " verkaufermail vendeuremail vendedoremail",
    "purchase_external_id": "purchaseexternalid purchaseid purchase receipt receiptid receiptno receiptnumber invoice"
    " invoiceid invoiceno invoicenumber order orderid orderno ordernumber ticket ticketid ticketno ticketnumber"
    " transaction transactionid transactionno transactionnumber transid saleid saleno salenumber saledocumentno"
    " documentno docno belegnr belegnummer beleg bonnr bonnummer rechnungsnr rechnungsnummer auftragsnr bestellnr"
    " numerofacture nofacture facture numeroticket numerocommande commande factura numerofactura nofactura pedido"
    " numeropedido fattura numerofattura scontrino ordine fatura encomenda bonnummerkassa factuurnummer ordernummer",
    "purchase_date": "purchasedate date saledate salesdate orderdate invoicedate transactiondate transdate receiptdate"
    " postingdate documentdate datetime createdat soldon datum belegdatum kaufdatum rechnungsdatum verkaufsdatum"
    " buchungsdatum datevente datefacture dateachat datecommande fecha fechaventa fechafactura fechacompra fechapedido"
    " data datavendita datafattura dataacquisto datavenda datacompra verkoopdatum factuurdatum aankoopdatum",
    "amount": "amount total totalamount linetotal lineamount netamount grossamount price saleprice sellingprice soldfor"
    " paid amountpaid netsales grosssales amountincludingvat amountincvat lineamountinclvat extendedprice extprice"
    " dollarvalue value betrag summe gesamt gesamtbetrag preis verkaufspreis umsatz endbetrag montant montantttc prix"
    " prixttc totalttc importe precio preciototal importo prezzo totale valor preco montante bedrag prijs totaal",
    "quantity": "quantity qty units pieces count numberofpieces numberofcds menge anzahl stueck stuck stk quantite qte"
    " cantidad cant quantita qta quantidade qtd aantal",
    "currency_code": "currencycode currency currencyid isocurrency waehrung wahrung devise monnaie moneda divisa valuta"
    " moeda",
    "payment_kind": "paymentkind payment paymentmethod paymenttype paymentmethodcode tender tendertype paidby zahlart"
    " zahlungsart zahlung zahlungsweise modedepaiement moyendepaiement paiement reglement formadepago metododepago"
    " pago mododipagamento metododipagamento pagamento formadepagamento betaalwijze betaalmethode",
    "category": "category categorycode itemcategory itemcategorycode productcategory producttype department dept class"
    " warengruppe kategorie artikelgruppe produktgruppe categorie famille categoria familia reparto categorieartikel"
    " artikelgroep",
    "description": "description itemdescription productdescription itemname productname product item title lineitemname"
    " beschreibung bezeichnung artikelbezeichnung artikel designation libelle article descripcion articulo producto"
    " descrizione articolo prodotto descricao artigo produto omschrijving",
    "brand_id": "brandid",
    "reference": "reference referenceno referencenumber refno ref sku itemno itemnumber itemcode itemid productcode"
    " productid style styleno stylenumber model modelno modelnumber variantsku artikelnr artikelnummer modell referenz"
    " referenznummer referencearticle codearticle modele referencia codigo modelo riferimento codice modello"
    " codiceriferimento artikelcode",
    "serial": "serial serialno serialnumber serialnum seriennr seriennummer numerodeserie numeroserie nserie"
    " numerodiserie matricola serienummer",
    "metal": "metal metaltype material metall legierung legierungmetall metallo metaal",
    "stone": "stone gemstone gem stonetype mainstone centerstone centrestone stein edelstein hauptstein pierre gemme"
    " piedra gema pietra gemma pedra edelsteen steen",
    "cut": "cut stonecut shape schliff schliffform taille forme talla taglio lapidacao slijpvorm",
    "style": "stylename design collection stil kollektion estilo stile coleccion collezione colecao collectie",
    "size": "size itemsize productsize groesse grosse taillearticle tallaarticulo taglia tamanho maat",
    "carat": "carat carats ct cts caratweight totalcarat karat karatgewicht carati quilates quilate karaat",
    "certificate": "certificate certificateno certificatenumber certno cert gia giano zertifikat zertifikatsnr"
    " certificat certificado certificato certificaat",
}
_FIELD_OF = {
    plain_letters(word): field
    for field, words in reversed(_SYNONYMS.items())
    for word in reversed(words.split())
}
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f]")
_NOT_LETTERS = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True)
class SampleColumn:
    """A column, what it seems to be (empty when nothing fits), some values, and what to know of them."""

    name: str
    field: str
    samples: tuple[str, ...]
    remarks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sample:
    """How the beginning of a file would be read."""

    format: ImportFormat
    encoding: str
    delimiter: str
    date_order: DateOrder | None
    columns: tuple[SampleColumn, ...]


def inspect(content: bytes, *, country: str, read_phone: Callable[[str], str | None]) -> Sample:
    """Return how a file that begins with `content` would be read. Raises FILE_UNREADABLE for what is no text.

    `country` and `read_phone` are of the store in whose country numbers without one are read.
    """
    try:
        splitter = LineSplitter()
        lines = [*splitter.feed(content), *splitter.end()]
    except FileUnreadable as error:
        raise _unreadable(str(error)) from error
    if not content.endswith(b"\n") and len(lines) > 1:
        del lines[-1]  # the sample may end in the middle of it
    if not any(line.text.strip() for line in lines):
        raise _unreadable("There is no text in it.")
    has_zeros = b"\0" in content and not splitter.encoding.startswith("UTF-16")
    if has_zeros or sum(line.fault is not None or _is_binary(line.text) for line in lines) * 2 > len(lines):
        raise _unreadable("It is no text in UTF-8, UTF-16 or windows-1252.")
    first = next(line.text for line in lines if line.text.strip())
    if isinstance(json_object(first), dict):
        file_format, delimiter = ImportFormat.NDJSON, ""
        names, records = _json_records(lines)
    else:
        file_format = ImportFormat.DELIMITED
        names, records, delimiter = _delimited_records(lines)
    values = [
        [record[index].strip() for record in records if index < len(record) and record[index].strip()]
        for index in range(len(names))
    ]
    fields = _fields_of(names, values)
    order = _date_order(
        [value for field, column in zip(fields, values, strict=True) if field in _DAYS for value in column]
    )
    columns = tuple(
        SampleColumn(
            name,
            field,
            tuple(value[:_LONGEST_SAMPLE] for value in islice(dict.fromkeys(column), _MOST_SAMPLES)),
            tuple(_remarks(field, column, order, country, read_phone)),
        )
        for name, field, column in zip(names, fields, values, strict=True)
    )
    return Sample(file_format, splitter.encoding or UTF_8, delimiter, order, columns)


def _is_binary(text: str) -> bool:
    """Return whether a line holds control characters that no text has; old files end with one."""
    return _CONTROL.search(text) is not None and text != "\x1a"


def _unreadable(why: str) -> Exception:
    return invalid("sample", why, reason="FILE_UNREADABLE")


def _json_records(lines: Sequence[Line]) -> tuple[list[str], list[list[str]]]:
    names: dict[str, None] = {}
    for line in lines[:_MOST_RECORDS]:
        if line.fault is None and isinstance(found := json_object(line.text), dict):
            names |= dict.fromkeys(found)
    known = list(names)
    reader = JsonLines(known)
    read = (record for line in lines[:_MOST_RECORDS] for record in reader.read(line))
    return known, [record.fields for record in read if isinstance(record, Record)]


def _delimited_records(lines: Sequence[Line]) -> tuple[list[str], list[list[str]], str]:
    reader = Delimited("")
    records: list[list[str]] = []
    for line in lines[: _MOST_RECORDS + 1]:
        records += [record.fields for record in reader.read(line) if isinstance(record, Record)]
    if not records:
        raise _unreadable("Its first line cannot be read.")
    header, *rest = records
    return [name.strip() for name in header], rest, reader.delimiter


def _fields_of(names: Sequence[str], values: Sequence[Sequence[str]]) -> list[str]:
    """Return what each column seems to be; no field twice."""
    fields: list[str] = []
    for name in names:
        field = _FIELD_OF.get(_NOT_LETTERS.sub("", plain_letters(name).replace("ß", "ss")), "")
        fields.append(_next_free(field, fields))
    for index, column in enumerate(values):
        if not fields[index] and column and all(map(is_email, column)):
            fields[index] = _next_free("email", fields)
    has_parts = {"given_name", "family_name"} & set(fields)
    if has_parts and "full_name" in fields and "given_name" not in has_parts:
        # French and German files have "nom" or "name" beside a first name: there it is the family's.
        fields[fields.index("full_name")] = ""
    if "full_name" in fields and "given_name" in fields and "family_name" not in fields:
        fields[fields.index("full_name")] = "family_name"
    return fields


def _next_free(field: str, taken: Sequence[str]) -> str:
    """Return a field, or the next one of its kind, that no column before has; empty when there is none."""
    for group in (_PHONES, _EMAILS):
        if field in group:
            return next((one for one in group[group.index(field) :] if one not in taken), "")
    return "" if field in taken else field


def _date_order(days: Sequence[str]) -> DateOrder | None:
    """Return which part of days with the year last is the day; None when nothing tells, or both."""
    found = [(int(match[1]), int(match[2])) for day in days if (match := _YEAR_LAST.match(day))]
    day_first = any(first > 12 for first, _ in found)
    month_first = any(second > 12 for _, second in found)
    if day_first == month_first:
        return None
    return DateOrder.DAY_FIRST if day_first else DateOrder.MONTH_FIRST


def _remarks(
    field: str,
    values: Sequence[str],
    order: DateOrder | None,
    country: str,
    read_phone: Callable[[str], str | None],
) -> list[str]:
    remarks: list[str] = []
    if field in _DAYS:
        remarks += _remarks_on_days(values, order)
    if field in _PHONES:
        if national := sum(not value.startswith("+") for value in values):
            remarks.append(
                f"{national} of {len(values)} have no country and are read as numbers of {country}."
            )
        if wrong := [value for value in values if read_phone(value) is None]:
            remarks.append(f"{len(wrong)} are no phone numbers, such as {wrong[0]!r}.")
    if field in _EMAILS and (wrong := [value for value in values if not is_email(value)]):
        remarks.append(f"{len(wrong)} are no e-mail addresses, such as {wrong[0]!r}.")
    if field == "amount" and (commas := [value for value in values if _DECIMAL_COMMA.search(value)]):
        remarks.append(f"A comma stands before the decimals, as in {commas[0]!r}.")
    if field == "payment_kind" and (
        unknown := sorted({value for value in values if not payment_of(value)[1]})
    ):
        remarks.append(f"{', '.join(map(repr, unknown[:3]))} would be taken as OTHER.")
    if field.endswith("_external_id") and not values:
        remarks.append("It is empty in the first lines.")
    if field == "client_external_id" and any(
        re.fullmatch(r"\d(?:[.,]\d+)?E\+\d+", value) for value in values
    ):
        remarks.append("A spreadsheet has cut long numbers, as in '1.23E+11'. Export them as text.")
    return remarks


def _remarks_on_days(values: Sequence[str], order: DateOrder | None) -> list[str]:
    remarks: list[str] = []
    wrong: list[str] = []
    ambiguous = ""
    numbers = 0
    for value in values:
        try:
            day = day_of(value, order, is_yearless_allowed=True)
        except Ambiguous:
            ambiguous = ambiguous or value
            continue
        if day is None:
            wrong.append(value)
        elif day.is_day_number:
            numbers += 1
    if ambiguous:
        remarks.append(f"{ambiguous!r} may be read with the day or with the month first: date_order decides.")
    if numbers:
        remarks.append(f"{numbers} are day numbers of a spreadsheet.")
    if wrong:
        remarks.append(f"{len(wrong)} are no days of the calendar, such as {wrong[0]!r}.")
    return remarks
