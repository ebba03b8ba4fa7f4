#!/usr/bin/env bash
# The real peers that the tests talk to: DCMTK, Orthanc, OpenSSH, dicom3tools (dciodvfy),
# Chromium, npm (it fetches the viewer that Chromium opens), tesseract (it reads text in pixels),
# and strace for the fault runs.
# Quiet when they are there.  Where they cannot be installed it says so and goes on, except
# in CI (CI=true), where a missing peer is an error.
set -euo pipefail
. "$(dirname "$0")/debian.sh"

missing=()
[ -x /usr/bin/storescu ] && [ -x /usr/bin/dcmsend ] || missing+=(dcmtk)
[ -x /usr/sbin/Orthanc ] || missing+=(orthanc)
[ -e /usr/share/orthanc/plugins/libOrthancDicomWeb.so ] || missing+=(orthanc-dicomweb)
[ -x /usr/sbin/sshd ] || missing+=(openssh-server)
[ -x /usr/bin/strace ] || missing+=(strace)
[ -x /usr/bin/dciodvfy ] || missing+=(dicom3tools)
[ -x /usr/bin/chromium ] || missing+=(chromium)
command -v npm >/dev/null || missing+=(npm)
[ -x /usr/bin/tesseract ] || missing+=(tesseract-ocr)
[ ${#missing[@]} -gt 0 ] || exit 0

if install_debian "${missing[@]}"; then
    # Only the program is wanted; a service of our making must not appear after a restart.
    for service in orthanc:orthanc openssh-server:ssh; do
        if [[ " ${missing[*]} " == *" ${service%:*} "* ]] && command -v systemctl >/dev/null; then
            as_root systemctl disable --quiet "${service#*:}" 2>/dev/null || true
        fi
    done
    exit 0
fi

say "Not installed: ${missing[*]}. Tests against them cannot run."
say "As root, on Debian or Ubuntu: apt-get install ${missing[*]}"
[ "${CI:-}" != true ]
