#!/bin/bash
# DCMTK's example worklist and its queries; then an order by HL7, a scanner that asks for it, says what
# it does (MPPS) and sends its images.
source "$(dirname "${BASH_SOURCE[0]}")/../stage.sh"

HERE=$EXAMPLES/worklist
DCMTK=${DCMTK:-/usr/bin}
DCMTK_EXAMPLES=${DCMTK_EXAMPLES:-/usr/share/doc/dcmtk/examples}
begin worklist
files worklist aes.csv order.hl7
export WAYSTATION__WORKLIST__HL7__PORT=0
area=$WORK/worklists/OFFIS
mkdir -p "$area"
touch "$area/lockfile"

# asks CALLED [ARGUMENT...]: ask the worklist as a modality does.
asks() {
  local called=$1
  shift
  "$BIN/waystation" find "$called@127.0.0.1:${port[node]}" "$@" --model worklist --calling CT1 \
    --json --config "$CONFIG" || fail "the worklist did not answer"
}

tells() { "$BIN/waystation" mpps "WAYSTATION@127.0.0.1:${port[node]}" "$@" --calling CT1 \
  --config "$CONFIG"; }

seen() { "$BIN/python" "$HERE/seen.py" "$@"; }

# finds FILE...: ask with findscu, as DCMTK's page says; print the number of entries.
finds() {
  mkdir "$WORK/answers"
  (cd "$WORK/answers" && "$DCMTK/findscu" -q -W -X -aet CT1 --call OFFIS 127.0.0.1 "${port[node]}" "$@")
  find "$WORK/answers" -name 'rsp*' | wc -l
  rm -r "$WORK/answers"
}

has_entries() { (($(finds -k PatientName) == $1)); }

start_peer pacs PACS
start_node

if [[ -x $DCMTK/dump2dcm && -d $DCMTK_EXAMPLES/wlistdb ]]; then
  say "1. DCMTK's example: ten dumps become files in the folder of the area OFFIS ..."
  for dump in "$DCMTK_EXAMPLES"/wlistdb/OFFIS/*.dump; do
    "$DCMTK/dump2dcm" -q -g "$dump" "$area/$(basename "$dump" .dump).wl"
  done
  until_true "the reading of the folder" has_entries 10
  say "   ... and findscu asks its thirteen queries (numbers of entries found):"
  found=()
  for number in {0..12}; do
    "$DCMTK/dump2dcm" -q "$DCMTK_EXAMPLES/wlistqry/wlistqry$number.dump" "$WORK/$number.dcm"
    found+=("$(finds "$WORK/$number.dcm")")
  done
  say "   ${found[*]}"
  [[ ${found[*]} == "10 10 0 10 0 6 0 0 0 0 10 10 0" ]] || fail "wlmscpfs finds other numbers"
fi

say "2. An order comes by HL7, and once more: the same answer, one entry."
hl7=$(sed -n 's/.*"hl7_port": \([0-9]*\).*/\1/p' "$WORK/data/node.json")
"$BIN/python" "$HERE/mllp.py" "$hl7" "$WORK/order.hl7" || fail "the order was refused"
"$BIN/python" "$HERE/mllp.py" "$hl7" "$WORK/order.hl7" || fail "the order was refused"
asks WAYSTATION -k ScheduledProcedureStepSequence.ScheduledStationAETitle=CT1 | seen

say "3. An order with a date that does not exist: refused with its field, and kept."
"$BIN/python" "$HERE/mllp.py" "$hl7" "$WORK/order.hl7" RIS-1=RIS-2 1001=1002 19580214=19581314 &&
  fail "it should have been refused"
"$BIN/waystation" worklist messages --refused --config "$CONFIG" | sed 's/^/   /'

say "4. The scanner takes the entry and says so (MPPS): it is off the list."
asks WAYSTATION -k AccessionNumber=A1001 >"$WORK/entry.json"
study=$(seen --value 0020000D <"$WORK/entry.json")
performed=$(tells create Modality=CT "ScheduledStepAttributesSequence.StudyInstanceUID=$study" \
  ScheduledStepAttributesSequence.AccessionNumber=A1001 \
  ScheduledStepAttributesSequence.ScheduledProcedureStepID=S1001) || fail "MPPS was refused"
asks WAYSTATION -k AccessionNumber=A1001 | seen

say "5. Its images carry what the entry said; then the scanner says that it is done."
send head 6 --calling-ae CT1 --set "StudyInstanceUID=$study" --set PatientID=4711 \
  --set AccessionNumber=A1001
tells set --uid "$performed" --completed >/dev/null || fail "MPPS was refused"
becomes done 12
say "   the list, what is over included:"
"$BIN/waystation" worklist list --area department --state completed --config "$CONFIG" |
  sed 's/^/   /'

ledger pacs=head
