import type { Random } from "../../random.ts";
import type { CardFields } from "../card.ts";
import { checkDigit } from "../check-digit.ts";

const SURNAMES = (
  "ADAMS ALVES ANDERSEN BAKKER BARBIERI BAUER BECKER BERGER BERNARD BIANCHI BLANC BONNET BRANDT BRUNO CARDOSO CARON " +
  "CARVALHO CHEVALIER COHEN COLOMBO CONTI COSTA DAHL DUBOIS DUPONT ERIKSEN ESPOSITO FABRE FERRARI FERREIRA " +
  "FISCHER FOURNIER FRANK FUCHS GALLO GARCIA GIRARD GOMES GRECO HANSEN HARTMANN HOFFMANN HORVAT HUBER JANSEN JENSEN " +
  "KAYA KELLER KLEIN KOVACS KRUGER LAMBERT LANG LARSEN LEROY LINDQVIST LOMBARDI LOPES MARINO MARTINEZ MATHIEU MEYER " +
  "MORETTI MULLER NAVARRO NIELSEN NOVAK OLIVEIRA OLSEN PEETERS PEREIRA PETERSEN POPESCU QUINN RIBEIRO RICCI ROMANO " +
  "ROUSSEAU RUIZ SANTOS SCHMIDT SCHULZ SILVA SIMON SORENSEN TEIXEIRA TORRES URBAN VALENTI VARGA VISSER VOGEL " +
  "WAGNER WALTER WEBER WINKLER WOLF XAVIER YILMAZ ZIMMER"
).split(" ");

const GIVEN_NAMES = (
  "ADAM AGNES ALBA ALICE AMIR ANNA ARTHUR BEATRIZ BRUNO CARLA CLARA DANIEL DAVID DIANA DIEGO EDITH ELENA ELIAS EMMA " +
  "ESTHER EVA FELIX FLORA GABRIEL GEORG GRETA HANNAH HELENA HENRI HUGO IBRAHIM INES IRENE ISABEL IVAN JAKUB JOANA " +
  "JONAS JULIA KARIN KASPER KLARA LARS LAURA LEILA LENA LEO LIAM LINA LOUIS LUCAS MADS MAGDA MARCO MARIA MARTA MILA " +
  "MIRJAM NADIA NIKOLA NOAH NORA OLGA OSCAR OTTO PABLO PAUL PETRA QUENTIN RAFAEL RITA ROMAN ROSA RUBEN SAMUEL SARA " +
  "SOFIA STELLA THEO TOMAS URSULA VERA VICTOR VIKTOR WANDA YARA YUSUF ZOE"
).split(" ");

/** Letters of document numbers: those that are mistaken for digits are not issued. */
const NUMBER_LETTERS = "ABCDEFGHJKLMNPRSTUVWXYZ";

/** What is printed on one card. */
export function drawFields(random: Random): CardFields {
  return {
    surname: drawSurname(random),
    given: drawGivenNames(random),
    birth: drawDate(random, 1940, 2006),
    number: drawNumber(random),
    expiry: drawDate(random, 2025, 2036),
  };
}

/** A family name in capitals. */
export function drawSurname(random: Random): string {
  return random.pick(SURNAMES);
}

/** One or two given names in capitals, with a comma between them. */
export function drawGivenNames(random: Random): string {
  const first = random.pick(GIVEN_NAMES);
  return random.chance(0.6) ? `${first}, ${random.pick(GIVEN_NAMES)}` : first;
}

/** A date as DD.MM.YYYY. */
export function drawDate(random: Random, firstYear: number, lastYear: number): string {
  const two = (value: number): string => String(value).padStart(2, "0");
  return `${two(random.integer(1, 28))}.${two(random.integer(1, 12))}.${random.integer(firstYear, lastYear)}`;
}

/** A document number: two letters, six digits, and the check digit of both. */
export function drawNumber(random: Random): string {
  const letter = (): string => NUMBER_LETTERS[random.integer(0, NUMBER_LETTERS.length - 1)] ?? "A";
  const digits = Array.from({ length: 6 }, () => random.integer(0, 9)).join("");
  const number = `${letter()}${letter()}${digits}`;
  // Drawn and dropped: everything else on the card of a seed is as it was when numbers ended in a letter.
  letter();
  return `${number}${checkDigit(number)}`;
}
