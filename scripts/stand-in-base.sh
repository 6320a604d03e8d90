#!/usr/bin/env bash
# Makes the root file system of a stand-in for Docker's official image node:VERSION-bookworm-slim, for machines that reach no container
# registry: Debian by debootstrap, Node and npm from the npm registry. For root.
#   stand-in-base.sh VERSION FILE.tar FOLDER    (FOLDER: to work in)
set -euo pipefail
version=$1 file=$2 folder=$3
root=$folder/root
rm -rf "$root"
mkdir -p "$root" "$folder/packages"

# The mirror that this machine is set up with; where there is none, debootstrap's own.
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Codename: bookworm' 'Component: main' 2>/dev/null | head -n 1 || true)
# Node 26 needs libatomic1, which the official image has as well.
debootstrap --variant=minbase --include=libatomic1 bookworm "$root" ${mirror:+"$mirror"} >"$folder/debootstrap.log" 2>&1 || { tail -n 20 "$folder/debootstrap.log" >&2; exit 1; }
rm -rf "$root"/usr/share/{doc,man,locale,info}/* "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/var/log/*.log

# unpack NAME@VERSION: a package of the registry into $folder/packages/package
unpack() {
  rm -rf "$folder/packages"
  mkdir "$folder/packages"
  (cd "$folder/packages" && npm pack --silent "$1" >/dev/null && tar -xzf ./*.tgz)
}
arch=$(node -p process.arch)
unpack "node-linux-$arch@$version"
install -m 755 "$folder/packages/package/bin/node" "$root/usr/local/bin/node"
unpack npm@11
mkdir -p "$root/usr/local/lib/node_modules"
mv "$folder/packages/package" "$root/usr/local/lib/node_modules/npm"
for name in npm npx; do
  chmod 755 "$root/usr/local/lib/node_modules/npm/bin/$name-cli.js"
  ln -s "../lib/node_modules/npm/bin/$name-cli.js" "$root/usr/local/bin/$name"
done
chroot "$root" groupadd --gid 1000 node
chroot "$root" useradd --uid 1000 --gid node --shell /bin/bash --create-home node

# npm inside builds reaches the registry as npm of this machine does.
mkdir -p "$root/usr/local/etc"
ca=${NODE_EXTRA_CA_CERTS:-${SSL_CERT_FILE:-}}
if [ -n "$ca" ]; then
  cp -L "$ca" "$root/usr/local/etc/build-ca.crt"
  echo 'cafile=/usr/local/etc/build-ca.crt' >>"$root/usr/local/etc/npmrc"
fi
echo "registry=$(cd / && npm config get registry)" >>"$root/usr/local/etc/npmrc"

tar -C "$root" --numeric-owner -cf "$file.part" .
mv "$file.part" "$file"
