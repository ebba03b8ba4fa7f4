# What the stories of the examples share.  Sourced by each run.sh, never run by itself.
#
# Contract: a run plays on loopback and in a new folder of its own; the configuration is a copy of
# the example's, with other ports.  However it ends, what it started is ended, by process id.  It
# ends with 0 only if everything came as the story says.

set -euo pipefail

EXAMPLES=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
BIN=${BIN:-$EXAMPLES/../.venv/bin}
PATIENCE_S=${PATIENCE_S:-30}
declare -A pid=() port=()

say() { printf '%s\n' "$*"; }

fail() {
  say "NOT as promised: $*"
  exit 1
}

# begin NAME: make the folder of this run, and a copy of the example's configuration in it.
begin() {
  [[ -x $BIN/waystation ]] || fail "there is no $BIN/waystation; make setup installs it"
  WORK=$(mktemp -d -t "waystation-$1.XXXXXX")
  CONFIG=$WORK/waystation.toml
  trap end EXIT
  trap 'exit 130' INT TERM
  cp "$EXAMPLES/$1/waystation.toml" "$CONFIG"
  export WAYSTATION__NODE__DATA=$WORK/data
  export WAYSTATION__SPOOL__MIN_FREE=100MB "WAYSTATION__SPOOL__MAX_USED=100 %"
  export WAYSTATION__DICOM__HOST=127.0.0.1 WAYSTATION__DICOM__PORT=0
  export WAYSTATION__WEB__HOST=127.0.0.1 WAYSTATION__WEB__PORT=0
  TITLE=$(sed -n '/^\[dicom\]/,/^ae_title/s/^ae_title = "\([^"]*\)".*/\1/p' "$CONFIG")
  mkdir "$WORK/sent"
  say "$1: everything on loopback, in $WORK"
}

end() {
  local code=$?
  trap - EXIT
  for name in "${!pid[@]}"; do
    { kill "${pid[$name]}" && wait "${pid[$name]}"; } 2>/dev/null || true
  done
  if ((code)); then
    say "the node's last words:"
    tail -n 5 "$WORK/node.log" 2>/dev/null || true
    say "kept for you: $WORK"
  else
    rm -rf "$WORK"
  fi
  exit "$code"
}

# until_true WHAT COMMAND...: wait until the command succeeds.
until_true() {
  local what=$1 limit=$((SECONDS + PATIENCE_S))
  shift
  until "$@"; do
    ((SECONDS < limit)) || fail "$what did not happen within $PATIENCE_S s"
    sleep 0.05
  done
}

# is_ready NAME: it has printed its ready line; one that has ended never will.
is_ready() {
  grep -q '^ready' "$WORK/$1.out" && return
  kill -0 "${pid[$1]}" 2>/dev/null || fail "$1 ended: $(tail -n 1 "$WORK/$1.out")"
  return 1
}

# free_port: print a port that nobody answers at, below those that outgoing calls are given.
free_port() {
  local found=$((15000 + RANDOM % 17000))
  while (: <>"/dev/tcp/127.0.0.1/$found") 2>/dev/null; do
    found=$((15000 + RANDOM % 17000))
  done
  echo "$found"
}

# start_peer NAME AE_TITLE [OPTION...]: play the receiver that destination NAME of the
# configuration stands for.  Started again it has the same port.
start_peer() {
  local name=$1 title=$2
  shift 2
  port[$name]=${port[$name]:-$(free_port)}
  : >"$WORK/$name.out"
  "$BIN/waystation" simulate-peer pacs --ae-title "$title" --port "${port[$name]}" \
    --ledger "$WORK/$name.ledger" "$@" >>"$WORK/$name.out" 2>&1 &
  pid[$name]=$!
  until_true "the start of $name" is_ready "$name"
  at_port "$name"
}

# at_port NAME: destination NAME of the configuration is at the port of that name.
at_port() {
  local key=WAYSTATION__DESTINATION__${1//-/_}
  export "${key^^}__HOST=127.0.0.1" "${key^^}__PORT=${port[$1]}"
}

# start_orthanc NAME AE_TITLE: let a real Orthanc be destination NAME.
start_orthanc() {
  port[$1]=$(free_port)
  port[$1-web]=$(free_port)
  mkdir "$WORK/$1"
  cat >"$WORK/$1.json" <<JSON
{ "Name": "$2", "DicomAet": "$2", "DicomPort": ${port[$1]}, "HttpPort": ${port[$1-web]},
  "StorageDirectory": "$WORK/$1", "IndexDirectory": "$WORK/$1", "RemoteAccessAllowed": false,
  "AuthenticationEnabled": false, "DicomAlwaysAllowStore": true, "Plugins": [] }
JSON
  "$ORTHANC" "$WORK/$1.json" >"$WORK/$1.out" 2>&1 &
  pid[$1]=$!
  until_true "the start of Orthanc" answers "${port[$1-web]}"
  until_true "the start of Orthanc" answers "${port[$1]}"
  at_port "$1"
}

answers() { (: <>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# fetch NAME: lay what an Orthanc has into the folder at-NAME, and write its ledger.
fetch() {
  [[ ${port[$1-web]:-} ]] || return 0
  "$BIN/python" "$EXAMPLES/orthanc.py" "http://127.0.0.1:${port[$1-web]}" "$WORK/at-$1" \
    "$WORK/$1.ledger"
}

start_node() {
  : >"$WORK/node.out"
  "$BIN/waystation" serve --config "$CONFIG" >>"$WORK/node.out" 2>>"$WORK/node.log" &
  pid[node]=$!
  until_true "the start of the node" is_ready node
  port[node]=$(sed -n 's/^ready dicom=127.0.0.1:\([0-9]*\).*/\1/p' "$WORK/node.out")
}

# crash NAME: end a peer or the node as a power cut would.
crash() {
  { kill -9 "${pid[$1]}" && wait "${pid[$1]}"; } 2>/dev/null || true
  unset "pid[$1]"
}

# send STUDY IMAGES [OPTION...]: play a scanner; the same name is the same study.
send() {
  local study=$1 images=$2 answer
  shift 2
  answer=$("$BIN/waystation" simulate-peer modality "$TITLE@127.0.0.1:${port[node]}" \
    --config "$CONFIG" --seed "$WORK/$study" --images "$images" --size 40kB \
    --ledger "$WORK/sent/$study" "$@" | tail -n 1) || fail "the node did not take $study: $answer"
  say "   scanner: study \"$study\": $answer"
}

# count NAME: print how many images a peer has acknowledged.
count() { if [[ -e $WORK/$1.ledger ]]; then wc -l <"$WORK/$1.ledger"; else echo 0; fi; }

has_at_least() { (($(count "$1") >= $2)); }

# arrives NAME N: wait until a peer has N images, all in all.
arrives() {
  until_true "the arrival of image $2 at $1" has_at_least "$1" "$2"
  say "   $1 has $(count "$1")"
}

# stays NAME N: a peer has N images, neither more nor less.
stays() {
  (($(count "$1") == $2)) || fail "$1 should have $2 images and has $(count "$1")"
  say "   $1 has $2"
}

queue() { "$BIN/waystation" queue "$@" --config "$CONFIG"; }

# files NAME FILE...: copy further files of an example beside the configuration of this run.
files() {
  local name=$1
  shift
  for file in "$@"; do cp "$EXAMPLES/$name/$file" "$WORK/$file"; done
}

# shows FOLDER KEYWORD=VALUE...: all objects in a folder say so; VALUE may be a pattern like SM-*.
shows() { "$BIN/python" "$EXAMPLES/elements.py" "$WORK/$1" "${@:2}" || fail "see above"; }

# traces FOLDER WORD...: fails if one of the words stands anywhere in the files of a folder, in
# whatever letters.
traces() {
  local folder=$WORK/$1 found
  shift
  for word; do
    if found=$(grep -rlaiF -e "$word" "$folder"); then
      say "   \"$word\" stands in $(wc -l <<<"$found") files"
      return 1
    fi
  done
  say "   no trace of: $*"
}

# held_one: print the id of a delivery that is held, "" if there is none.
held_one() {
  queue list --state held --json |
    "$BIN/python" -c 'import json, sys
print(next((row["id"] for row in json.load(sys.stdin)["deliveries"]), ""))'
}

# deliveries STATE: print how many deliveries are in it, all in all; "open": nothing final yet.
deliveries() { queue list --deliveries --json | "$BIN/python" "$EXAMPLES/ledger.py" --count "$1"; }

in_state() { (($(deliveries "$1") == $2)); }

# becomes STATE N: wait until N deliveries are in a state, all in all.
becomes() {
  until_true "$2 deliveries $1" in_state "$1" "$2"
  say "   $1: $2"
}

# change TABLE KEY VALUE ...: write other values into this run's copy of the configuration.
change() {
  while (($#)); do
    sed -i "/^\[$1\]/,/^\[/s|^$2 = .*|$2 = \"$3\"    # changed for this run|" "$CONFIG"
    sed -n "/^\[$1\]/,/^\[/p" "$CONFIG" | grep -q "^$2 = \"$3\"" || fail "no $1.$2 to change"
    shift 3
  done
}

reload() { "$BIN/waystation" reload --config "$CONFIG" 2>>"$WORK/reload.log"; }

# ledger SITE=STUDY[,STUDY...] ...: compare what was acknowledged with what came where.
ledger() {
  until_true "an empty queue" in_state open 0
  queue list --deliveries --json >"$WORK/queue.json"
  say ""
  "$BIN/python" "$EXAMPLES/ledger.py" "$WORK" "$@" || fail "see the ledger"
  say "as promised"
}
