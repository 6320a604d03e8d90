import { createRequire } from "node:module";
import { VariscaleError } from "../../../domain/errors.ts";
import { loadTypeface, type Typeface } from "./typeface.ts";

const GOOGLE = "@expo-google-fonts";

/** Typefaces for values, by how card printers use them; all licences allow redistribution of what is rendered. */
const FAMILIAR_FILES = [
  "dejavu-fonts-ttf/ttf/DejaVuSans-Bold.ttf",
  "dejavu-fonts-ttf/ttf/DejaVuSans.ttf",
  "dejavu-fonts-ttf/ttf/DejaVuSansMono-Bold.ttf",
  `${GOOGLE}/lato/700Bold/Lato_700Bold.ttf`,
  `${GOOGLE}/lato/400Regular/Lato_400Regular.ttf`,
  `${GOOGLE}/roboto-mono/500Medium/RobotoMono_500Medium.ttf`,
  `${GOOGLE}/source-serif-4/600SemiBold/SourceSerif4_600SemiBold.ttf`,
] as const;

const UNFAMILIAR_FILES = [
  "dejavu-fonts-ttf/ttf/DejaVuSansCondensed-Bold.ttf",
  `${GOOGLE}/lato/900Black/Lato_900Black.ttf`,
  `${GOOGLE}/roboto-mono/700Bold/RobotoMono_700Bold.ttf`,
  `${GOOGLE}/source-serif-4/700Bold/SourceSerif4_700Bold.ttf`,
  `${GOOGLE}/source-serif-4/600SemiBold_Italic/SourceSerif4_600SemiBold_Italic.ttf`,
] as const;

const CAPTION_FILES = [
  "dejavu-fonts-ttf/ttf/DejaVuSans.ttf",
  `${GOOGLE}/lato/400Regular/Lato_400Regular.ttf`,
  `${GOOGLE}/source-serif-4/400Regular/SourceSerif4_400Regular.ttf`,
] as const;

/** The typefaces that cards are set in. */
export interface Typefaces {
  /** Of the values on cards. */
  readonly values: readonly Typeface[];
  /** Those of them that recognisers are trained on: as in practice, some cards are set in type that no training saw. */
  readonly familiar: readonly Typeface[];
  readonly captions: readonly Typeface[];
}

/**
 * Reads the typefaces from the development dependencies, as seen from where `require` was made.
 * @throws VariscaleError `failed_precondition` where they are not installed.
 */
export function loadTypefaces(require = createRequire(import.meta.url)): Typefaces {
  try {
    const load = (file: string): Typeface => loadTypeface(require, file);
    const familiar = FAMILIAR_FILES.map(load);
    return { values: [...familiar, ...UNFAMILIAR_FILES.map(load)], familiar, captions: CAPTION_FILES.map(load) };
  } catch (cause) {
    throw new VariscaleError(
      "failed_precondition",
      "rendering ID cards needs opentype.js and the font packages, which are development dependencies: run " +
        "`npm install --save-dev opentype.js@1.3.4 dejavu-fonts-ttf@2.37.3 @expo-google-fonts/lato@0.4.1 " +
        "@expo-google-fonts/roboto-mono@0.4.2 @expo-google-fonts/source-serif-4@0.4.1`, " +
        "or ask for no more cards than the data folder holds, as in `--items 100`",
      { cause },
    );
  }
}
