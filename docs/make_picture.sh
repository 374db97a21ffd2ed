#!/bin/sh
# make_picture.sh - the README's picture: the top of the demo's page, taken with headless Chromium.
# usage: docs/make_picture.sh FPX   (in the folder of the sources; needs chromium and imagemagick)
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$1" demo --seed 1 --page "$folder/page.html" >/dev/null
chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --force-color-profile=srgb \
    --screenshot="$folder/page.png" --window-size=1180,4300 "file://$folder/page.html" 2>/dev/null
convert "$folder/page.png" -crop 1000x960+120+30 +repage +dither -colors 48 docs/demo-page.png
