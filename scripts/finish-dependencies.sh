#!/bin/sh
# In the Dockerfile: leaves these folders out of node_modules and lists what is left. What changes gets the time of all other files, and
# nothing else is touched: it would be copied into another layer.
#   finish-dependencies.sh [FOLDER…]
set -eu
cd "$(dirname "$0")/.."
for folder in "$@"; do rm -r "node_modules/$folder"; done
# npm's own notes of what it installed.
rm -f node_modules/.package-lock.json
node scripts/write-sbom.mjs --installed node_modules --output sbom.cdx.json
touch --date="@$SOURCE_DATE_EPOCH" sbom.cdx.json node_modules node_modules/@*
