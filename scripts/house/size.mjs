// Rules of size: how long a file, how full a folder and how wide the top level may be.
import { getFolder, isTest } from "./files.mjs";

const MOST_LINES = 500;
const SMALL_LINES = 40;
const MOST_FILES = 25;
const MOST_TOP_LEVEL_FOLDERS = 19;

/** The violations of the rules of size: `{ rule, path, count, message }`. */
export function checkSizes(files) {
  return [...checkLengths(files), ...checkSmallFiles(files), ...checkFolders(files), ...checkTopLevel(files)];
}

/** The numbers of files that lie directly in each folder, by the folder's path. */
export function countByFolder(files) {
  const counts = {};
  for (const file of files) counts[getFolder(file)] = (counts[getFolder(file)] ?? 0) + 1;
  return Object.fromEntries(Object.entries(counts).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function checkLengths(files) {
  return files
    .filter(({ isSource, lines }) => isSource && lines > MOST_LINES)
    .map(({ path, lines }) => ({
      rule: "fileLines",
      path,
      count: lines,
      message: `${lines} lines: split it where a second concept begins; at most ${MOST_LINES}`,
    }));
}

/** A small file with one importer belongs into that importer, or with its neighbours of the same concept. */
function checkSmallFiles(files) {
  const importers = new Map();
  for (const file of files) {
    if (isTest(file)) continue;
    for (const target of file.imports ?? []) importers.set(target, [...(importers.get(target) ?? []), file.path]);
  }
  return files
    .filter(file => file.program && !isTest(file) && file.lines < SMALL_LINES && importers.get(file.path)?.length === 1)
    .map(({ path, lines }) => ({
      rule: "smallFile",
      path,
      count: 1,
      message: `${lines} lines, imported by ${importers.get(path)[0]} alone: move it there, or to its neighbours of the same concept`,
    }));
}

function checkFolders(files) {
  return Object.entries(countByFolder(files))
    .filter(([, count]) => count > MOST_FILES)
    .map(([path, count]) => ({
      rule: "folderFiles",
      path,
      count,
      message: `${count} files: give it sub-folders, one for each concept; at most ${MOST_FILES}`,
    }));
}

function checkTopLevel(files) {
  const folders = new Set(files.filter(({ path }) => path.includes("/")).map(({ path }) => path.split("/")[0]));
  if (folders.size <= MOST_TOP_LEVEL_FOLDERS) return [];
  const message = `${folders.size} folders at the top: put the new one inside another; at most ${MOST_TOP_LEVEL_FOLDERS}`;
  return [{ rule: "topLevelFolders", path: ".", count: folders.size, message }];
}
