#!/bin/bash
# A stand-in for a PACS that is gone: edits, a patient who is checked, a mistake that is put right.
source "$(dirname "${BASH_SOURCE[0]}")/../stage.sh"

begin fix-and-forward
files fix-and-forward patients.csv
export WAYSTATION__PEER__SCANNERS__ADDRESS='["127.0.0.1/32"]'
start_peer pacs NEW_PACS --output "$WORK/at-the-pacs"
start_node

say "1. A patient of the list.  What the new PACS wants otherwise is changed on the way."
send monday 4 --set PatientID=1000017 --set "PatientName=Muster^Erika" \
  --set PatientBirthDate=19640812 --set AccessionNumber=A1
arrives pacs 4
shows at-the-pacs PatientName=Muster^Erika InstitutionName="St Mary" IssuerOfPatientID=STMARY \
  AccessionNumber=SM-A1

say "2. Somebody picked the wrong line at the scanner: Erika's name with the number of Hans."
send tuesday 2 --set PatientID=1000025 --set "PatientName=Muster^Erika" \
  --set PatientBirthDate=19640812 --set AccessionNumber=A2
becomes held 2
stays pacs 4
say "   The reason, side by side, for who may see patients:"
queue show "$(held_one)" --names

say "3. It is Erika.  The number is put right; what was received stays as it came."
while id=$(held_one) && [[ $id ]]; do queue fix "$id" --set PatientID=1000017; done
arrives pacs 6
shows at-the-pacs PatientID=1000017 PatientName=Muster^Erika InstitutionName="St Mary"

ledger pacs=monday,tuesday
