#!/bin/sh
# Qt needs a few libraries of the system. Names the missing ones with the command that installs them; installs them as root on Debian.

[ "$(uname -s)" = Linux ] || exit 0

missing=""
need() { # library file, Debian package
    ldconfig -p 2>/dev/null | grep -q "$1" || missing="$missing $2"
}
PATH="$PATH:/sbin:/usr/sbin"
need libGL.so.1 libgl1
need libEGL.so.1 libegl1
need libxkbcommon.so.0 libxkbcommon0
need libdbus-1.so.3 libdbus-1-3
need libfontconfig.so.1 libfontconfig1
need libglib-2.0.so.0 libglib2.0-0
need libxkbcommon-x11.so.0 libxkbcommon-x11-0
need libxcb-cursor.so.0 libxcb-cursor0
need libxcb-icccm.so.4 libxcb-icccm4
need libxcb-keysyms.so.1 libxcb-keysyms1
need libxcb-image.so.0 libxcb-image0
need libxcb-render-util.so.0 libxcb-render-util0
need libxcb-shape.so.0 libxcb-shape0
need libxcb-xinerama.so.0 libxcb-xinerama0

[ -n "$missing" ] || exit 0
install="apt-get install -y$missing"
if ! command -v apt-get >/dev/null; then
    echo "The window needs system libraries that Debian calls$missing; install them with your package manager." >&2
elif [ "$(id -u)" = 0 ]; then
    echo "Installing system libraries that Qt needs:$missing"
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive $install -qq >/dev/null && exit 0
    echo "Could not install them; try: apt-get update && $install" >&2
    exit 1
else
    echo "The window needs system libraries; install them with: sudo $install" >&2
fi
exit 0
