"""Words of descriptions and protocols that say nothing of a person (D-13).

Contract: `WORDS` are lower case, each made of letters and digits only.  Names of people, places
and institutions have no place here, nor words that are common family names and rare in radiology.
"""

from typing import Final

_PARTS = """
abd abdom abdomen abdominal acetabulum achilles adrenal adrenals airway airways ankle ankles ant
anterior aorta aortic aortogram appendix arm arms arterial arteries artery atlas atrial atrium
axilla axillary axis bile biliary bladder bone bones bowel brachial brain brainstem breast breasts
bronchi bronchial bronchus c1 c2 c3 c4 c5 c6 c7 calcaneus calf cardiac carotid carotids carpal
cartilage cerebellum cerebral cervical chest circle clavicle clavicles coccyx cochlea colon
colonic cord coronary corpus costal cranial cranium dens dental diaphragm disc discs distal duct
ducts duodenum ear ears elbow elbows epigastric esophagus extremities extremity eye eyes face
facial feet femora femoral femur fetal fetus fibula finger fingers foot forearm forehead fossa
gallbladder ganglion gland glands groin hand hands head heart hepatic hilar hilum hip hips humeral
humerus hypophysis iac ileum iliac inguinal intestine intracranial jaw jejunum joint joints
jugular kidney kidneys knee knees kub l1 l2 l3 l4 l5 larynx leg legs lens limb limbs liver lobe
loin lumbar lumbosacral lung lungs lymph mandible mastoid mastoids maxilla maxillofacial
mediastinum meniscus mesenteric metacarpal metatarsal middle mitral mouth muscle muscles
myocardial myocardium nasal nasopharynx neck nerve nerves node nodes nose oesophagus optic oral
orbit orbital orbits ovaries ovary palate pancreas pancreatic paranasal parathyroid parotid
patella patellar pelvic pelvis penis pericardium perineum peripheral pharynx pituitary placenta
pleura pleural popliteal portal prostate prox proximal pulmonary pylorus radius rectal rectum
renal retina rib ribs s1 sacral sacroiliac sacrum salivary scapula scrotum sella shoulder
shoulders sinus sinuses skeletal skeleton skin skull soft spinal spine spleen splenic sternal
sternum stomach subclavian supine talus tarsal teeth temporal testes testicular testis th1 th12
thigh thoracic thoracolumbar thorax throat thumb thymus thyroid tibia tibial tissue tmj toe toes
tongue tooth torso trachea trunk ulna ureter urethra urinary uterus vagina valve vascular vein
veins vena venous ventricle ventricles ventricular vertebra vertebrae vessel vessels whole wrist
wrists zygoma
"""
_DIRECTIONS = """
all ap apex apical asc ascending ax axial axiallat axials basal base bilat bilateral bottom caudad
caudal cc central cephalad cine cor coronal cors cranio craniocaudal curved decubitus desc
descending dorsal down dx erect ext extension external flex flexion front frontal horizontal
inferior inner inside int internal inversion inverted isocenter lao lat lateral laterals
lateromedial left left2right line llo long lower lpo lt med medial mediolateral merchant midline
ml mlo mpr multiplanar obl obliq oblique orthogonal outer outside pa palmar panoramic parasagittal
plane planes plantar post posterior posteroanterior prone rad radial rao recon rectus reformat
right rl rlo rotated rotation rpo rt sag sagittal sagittals seated short sinister sitting standing
sunrise superior supinated swimmers tangential top tra trans transaxial transversal transverse
tunnel upper upright ventral vertical view views volar weight weightbearing
"""
_METHODS = """
2d 3d 4d abc abdpel acq acquired acquisition adc adult advanced aidr alg algorithm aligned angio
angiogram angiographic angiography arterialphase asir asl auto automatic average avg axt1 axt2 b0
b1000 b30f b31f b50 b500 b60f b70f b800 background baseline before bf biopsy bl57 black blade
blood bold bolus br36 br40 bravo breath breathhold breathing bright brst bssfp burst calcium
calibration care cbct ce cemra cine ciss clin clinical color colour combined compare comparison
complete con cone contour contrast control conv convolution copy corrected correction cosmic cr
crop ct cta ctac ctdi ctv cube curve cxr dce delay delayed delta dens density derived detail
determination dexa diag diagnostic diastole diastolic diff diffusion digital dir display dixon
doppler dose dosimetry double dr drive dsa dti dual duplex dwi dwibs dx dyn dynamic early ecg echo
echoes edema edge eeg ekg emission end endoscopy enhanced enhancement epi epi2d equilibrium event
exam examination exp expiration expiratory export exposure f18 fast fat fatsat fatsupp fb fbp fdg
ffdm ffe fiesta filter filtered fine first flair flash flip flow fluid fluoro fluoroscopy fmri fov
fr fractional frame frames free frequency frfse fs fse ftv full function functional fused fusion
ga68 gad gado gadolinium gated gating ge gradient graph gre gtv guidance guided h30s h31s h60s
half hard hdr helical hemo high hires hr hr40 hrct i30f i50f i70f icad ich image images imaging in
include inject injection inphase insp inspiration inspiratory intensity interventional intravenous
inv ir irm isotropic iterative iv ivc ivp ivus kernel keyimage km kub kv late lava leadoff level
limited linear loc localiser localizer localizers locator loop low lowdose lung lungs map mapping
maps mask mass max maximum mdct mean median mediastinal medium merge mg min minimum minip mip mips
mixed mode model monitor motion movie mp mpgr mprage mra mrcp mri mrs mrv ms multi multiphase
multislice myelogram myelography narrow native nephrographic nm no noise non noncontrast none
normal nuclear number offline on opp opposed optimal oral order original out outphase overview
parallel parametric part pass patlak pc pca pci pd pdfs pdw peak pel percent perf perfusion pet
petct phantom phase phasecontrast phases photo plain plan planning plus portable post postcon
postcontrast postprocessed pre precon precontrast pres presentation preview primary prior probe
procedure processed processing propeller prosp protocol proton psir ptv pulse push quality quant
quantitative quick raw rawdata ray rays real reconstructed reconstruction reduced ref reference
reformatted region registered registration regular removed repeat report res research resolution
resp respiratory rest result retro review roi routine run sagt1 sagt2 sat saturation save saved
scan scanogram scans scout screen screening se seg segment segmentation sense sequence sequential
ser series set setup sharp shot sigma signal simulation single skyra slab slice slices slow small
smartprep smooth space spair spect spectroscopy spgr spin spine spir spiral split sponge ssfp
ssfse stack standard standardized star start static std stereo stereotactic stir stress structural
structure study subtract subtracted subtraction sum summary supp suppressed surgery surview
susceptibility sw swan swi systole systolic t1 t1fl2d t1w t1wi t2 t2f t2star t2w t2wi target tc99m
te temporal test tfe thick thickness thin threshold throughplane ti tilt time tir tirm tof tomo
tomographic tomosynthesis topo topogram tracer tracking transit treatment trig triggered true
trufi trufisp tse tumor tumour turbo twist type ultra ultrasound uncorrected unenhanced unilateral
us vascular velocity venc venogram verification vibe video views virtual vista voiding vol volume
volumetric vr vrt water wb weighted wholebody wide width window windowed with without wo work xa
xr xray y90 zoom
"""
_FINDINGS = """
acute aneurysm asymmetry benign bleed block calcification calcifications calculi calculus cancer
carcinoma chronic collapse cyst cysts degenerative disease dislocation effusion embolism embolus
fibrosis fracture fractures free hematoma hemorrhage hernia implant infarct infection inflammation
injury ischemia lesion lesions malignant metastases metastasis metastatic nodule nodules
obstruction osteoarthritis pain pneumonia pneumothorax polyp rupture sclerosis staging stenosis
stent stone stones stroke swelling syndrome tear thrombosis thrombus trauma tumors
"""
_CONNECTING = """
a above acr after an and any as at axis below between both by compressed each for from if
inferosuperior into is it lossless lossy low mid of off only or other over per single sub super
superoinferior that the then this through to under until up via when within yes
"""
# After a number: such a number says how an image was made.
_UNITS = """
bq cc ci cm db deg degrees gray gy hu hz kbq kev kg khz kv kvp kw ma mas mbq mci mev mg mgy mhz
min ml mm ms msec mv nm ppm px sec secs sl slc t um usec
"""
UNITS: Final = frozenset(_UNITS.split()) - {"sl", "slc", "kw", "ppm", "degrees", "secs"}
WORDS: Final = frozenset(
    " ".join((_PARTS, _DIRECTIONS, _METHODS, _FINDINGS, _CONNECTING, _UNITS)).split()
)
