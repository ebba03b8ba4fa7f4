#!/bin/bash
# Two examinations of one patient and one of another, for a research project: into an Orthanc if there
# is one (ORTHANC=/path/to/Orthanc), else into a simulated PACS.
source "$(dirname "${BASH_SOURCE[0]}")/../stage.sh"

ORTHANC=${ORTHANC:-/usr/sbin/Orthanc}
begin deid-for-research
files deid-for-research devices.toml
export WAYSTATION__PEER__SCANNERS__ADDRESS='["127.0.0.1/32"]'
LUNG_KEY=$(head -c 32 /dev/urandom | base64)
export LUNG_KEY
if [[ -x $ORTHANC ]]; then
  start_orthanc project RESEARCH
else
  start_peer project RESEARCH --output "$WORK/at-project"
fi
start_node
erika=(--set PatientID=471108151 --set "PatientName=Muster^Erika" --set PatientBirthDate=19640812)
hans=(--set PatientID=081547112 --set "PatientName=Beispiel^Hans" --set PatientBirthDate=19510317)
burned=(--size 140kB --set BurnedInAnnotation=YES)

say "1. Erika in January, and again 42 days later; Hans once."
send january 4 "${burned[@]}" "${erika[@]}" --set StudyDate=20260112 --set AccessionNumber=ACC10001
send february 4 "${burned[@]}" "${erika[@]}" --set StudyDate=20260223 --set AccessionNumber=ACC10002
send hans 3 "${burned[@]}" "${hans[@]}" --set StudyDate=20260113 --set AccessionNumber=ACC10003
becomes done 11

say "2. What the project has, object by object:"
fetch project
"$BIN/python" "$EXAMPLES/deid-for-research/proof.py" "$WORK/at-project" "$WORK/sent" \
  Muster Erika Beispiel Hans 471108151 081547112 19640812 19510317 20260112 20260223 20260113 \
  ACC10001 ACC10002 ACC10003 || fail "see above"

say "3. What was done to Erika's first study, as the node's own report says:"
study=$(queue list --deliveries --json |
  "$BIN/python" -c 'import json, sys; print(json.load(sys.stdin)["deliveries"][0]["study"])')
"$BIN/waystation" deid report "$study" --config "$CONFIG" | tee "$WORK/report"
! grep -qi -e muster -e erika -e 471108151 "$WORK/report" || fail "the report says who it is"

say "4. A picture of a device that no rule knows, with a name in it: it does not leave."
send unknown 2 "${burned[@]}" "${hans[@]}" --set "ManufacturerModelName=ECHO 7"
becomes held 2
queue show "$(held_one)"
queue discard --state held --all --because "device not known" --yes

ledger project=january,february,hans
