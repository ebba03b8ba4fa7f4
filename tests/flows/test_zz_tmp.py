import time, pytest
from dataclasses import replace
from tests.flows.rig import Rig, destination, study
from tests.flows.test_groups import TO_READING, group, two, both
from tests.journal.making import arrival, as_planned
from waystation.journal.adoption import Adoption, adopt
from waystation.model.plan import Plan, Target
from tests.net.sink import until
async def test_many(rig: Rig) -> None:
    a, b = await both(rig)
    shut = destination("a", a.port, 'window = "never"') + destination("b", b.port, 'window = "never"')
    await rig.start(shut + group() + TO_READING)
    N=3000
    t=Plan(targets=(Target(destination="reading",rules=("all",),group=True),))
    for base in range(0,N,500):
        ad=[Adoption(arrival=replace(arrival(1000+base+i, study=f"1.2.{base+i}"),id=rig.node.ids.next()),plan=t,data=b"x") for i in range(500)]
        await rig.node.database.write(adopt(ad, rig.node.ids, rig.node.clock(), as_planned))
    for d in ("a","b"): await rig.node.pause_lane(d,"x")
    # open windows
    began=time.monotonic()
    await rig.node.reload(rig.settings(two(a,b)+group('x=1').replace('x=1','')+TO_READING))
    await rig.node.resume_lane("a"); await rig.node.pause_lane("b","x")
    async def n():
        return (await rig.rows("SELECT count(*) FROM delivery WHERE destination='reading' AND state='waiting'"))[0][0]
    import asyncio
    last=None
    for _ in range(600):
        k=await n()
        if k==0: break
        await asyncio.sleep(0.25)
    print("TOOK", time.monotonic()-began, k)
