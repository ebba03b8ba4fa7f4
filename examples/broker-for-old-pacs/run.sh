#!/bin/bash
# Two old PACS and a viewer that speaks only DICOMweb.  The old ones are DCMTK's dcmqrscp and an Orthanc
# (DCMQRSCP= and ORTHANC= say where they are); nodes of our own play them where they are not there.
source "$(dirname "${BASH_SOURCE[0]}")/../stage.sh"

ORTHANC=${ORTHANC:-/usr/sbin/Orthanc}
DCMQRSCP=${DCMQRSCP:-/usr/bin/dcmqrscp}
HERE=$EXAMPLES/broker-for-old-pacs
begin broker-for-old-pacs
port[node]=$(free_port)
export WAYSTATION__DICOM__PORT=${port[node]} WAYSTATION__WEB__VIEWER__PORT=0

# old_pacs NAME TITLE: start a PACS that answers C-FIND, C-MOVE and C-GET.
old_pacs() {
  local title=${2}
  port[$1]=$(free_port)
  mkdir "$WORK/$1"
  case $1 in
    attic) start_dcmqrscp "$1" "$title" ;;
    cellar) start_old_orthanc "$1" "$title" ;;
  esac
  until_true "the start of $1" answers "${port[$1]}"
  local key=WAYSTATION__PACS__${1^^}
  export "${key}__HOST=127.0.0.1" "${key}__PORT=${port[$1]}"
}

start_dcmqrscp() {
  [[ -x $DCMQRSCP ]] || { start_own "$@"; return; }
  sed -e "s/^NetworkTCPPort.*/NetworkTCPPort = ${port[$1]}/" -e "s|/var/lib/attic|$WORK/$1|" \
    -e "s/(BROKER, .*)/(BROKER, 127.0.0.1, ${port[node]})/" "$HERE/attic.cfg" >"$WORK/$1.cfg"
  TCP_NODELAY=1 "$DCMQRSCP" -c "$WORK/$1.cfg" >"$WORK/$1.out" 2>&1 &
  pid[$1]=$!
  say "   $1 is DCMTK's dcmqrscp"
}

start_old_orthanc() {
  [[ -x $ORTHANC ]] || { start_own "$@"; return; }
  sed -e "s/\"DicomPort\": .*/\"DicomPort\": ${port[$1]},/" -e "s|/var/lib/cellar|$WORK/$1|" \
    -e "s/\"broker\", 11112/\"127.0.0.1\", ${port[node]}/" "$HERE/cellar.json" >"$WORK/$1.json"
  "$ORTHANC" "$WORK/$1.json" >"$WORK/$1.out" 2>&1 &
  pid[$1]=$!
  say "   $1 is Orthanc"
}

# start_own NAME TITLE: let a node of our own be the PACS.
start_own() {
  cat >"$WORK/$1.toml" <<TOML
[node]
data = "$WORK/$1/data"
[dicom]
ae_title = "$2"
port = ${port[$1]}
[web]
enabled = false
[peer.broker]
ae_title = "BROKER"
store_at = { host = "127.0.0.1", port = ${port[node]} }
[[rule]]
name = "all"
send = ["archive"]
TOML
  env -u WAYSTATION__NODE__DATA -u WAYSTATION__DICOM__PORT -u WAYSTATION__DICOM__HOST \
    "$BIN/waystation" serve --config "$WORK/$1.toml" >"$WORK/$1.out" 2>&1 &
  pid[$1]=$!
  say "   $1 is a node of our own"
}

# fill NAME TITLE STUDY IMAGES PATIENT: a scanner of long ago sent this to an old PACS.
fill() {
  local answer
  answer=$("$BIN/waystation" simulate-peer modality "$2@127.0.0.1:${port[$1]}" \
    --config "$CONFIG" --seed "$WORK/$3" --images "$4" --size 100kB --set "PatientName=$5" \
    --ledger "$WORK/sent/$3" | tail -n 1) || fail "$1 did not take $3: $answer"
}

# switch_off NAME: end a PACS with all its processes, as a power cut would.
switch_off() {
  local children
  children=$(ps -o pid= --ppid "${pid[$1]}" || true)
  crash "$1"
  [[ -z $children ]] || kill -9 $children 2>/dev/null || true
}

viewer() { "$BIN/python" "$HERE/viewer.py" "$@" || fail "see above"; }

# uid PATIENT: print the Study Instance UID of a patient's study.
uid() {
  "$BIN/python" -c 'import json, sys, urllib.request
url = f"{sys.argv[1]}/studies?PatientName={sys.argv[2]}"
print(json.load(urllib.request.urlopen(url, timeout=30))[0]["0020000D"]["Value"][0])' "$ROOT" "$1"
}

say "1. Two old PACS, each with a study; neither knows DICOMweb."
old_pacs attic ATTIC
old_pacs cellar CELLAR
fill attic ATTIC chest 30 "Muster^Erika"
fill cellar CELLAR knee 20 "Beispiel^Hans"
start_node
NODE=$(sed -n 's/^ready .*web=\(http[^ ]*\).*/\1/p' "$WORK/node.out")
ROOT=$NODE/dicom-web

say "2. One search finds both:"
viewer search "$ROOT" | tee "$WORK/found"
(($(wc -l <"$WORK/found") == 2)) || fail "the search should find two studies"

say "3. The images come in the first answer, and the second time from the cache:"
chest=$(uid "Muster*")
knee=$(uid "Beispiel*")
viewer retrieve "$ROOT" "$chest" "$WORK/viewer.ledger"
viewer retrieve "$ROOT" "$knee" "$WORK/viewer.ledger"
viewer again "$ROOT" "$chest" "$WORK/viewer.ledger"
viewer again "$ROOT" "$knee" "$WORK/viewer.ledger"
viewer fetches "$NODE"

say "4. The attic is switched off.  Nobody is told less than there is:"
switch_off attic
viewer search "$ROOT" | tee "$WORK/found"
grep -q "source attic did not answer" "$WORK/found" || fail "a missing source should be told"
say "   what was looked at today is still there:"
viewer again "$ROOT/sources/attic" "$chest" "$WORK/viewer.ledger"
say "   what nobody else has is not \"not found\":"
viewer status "$ROOT/sources/attic" 1.2.3.4 | tee "$WORK/found"
grep -q "^   50[234] " "$WORK/found" || fail "a PACS that is off is no proof that there is nothing"

ledger viewer=chest,knee
