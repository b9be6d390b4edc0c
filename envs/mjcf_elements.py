"""Which MJCF a bundle may hold: elements, their attributes, and how large a number may be.

What is not listed is refused by `envs.mjcf`: whatever reads files, loads code, draws with textures, drives
actuators (a drive adds its own) or makes many things of one element. By name alone: where an element may
stand is checked by MuJoCo.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["ELEMENTS", "MOST", "MOST_ELEMENTS", "UNITS"]

_TURNED = "axisangle euler quat xyaxes zaxis"
_NAMED = "class name"
_CONTACT = "condim friction gap margin solimp solref"
_LIMITED = "actuatorfrclimited actuatorfrcrange armature damping frictionloss group limited margin range "
_LIMITED += "solimpfriction solimplimit solreffriction solreflimit stiffness"
_EQUAL = "active solimp solref"
_SENSOR = "cutoff name noise"
_OF_SITE = "touch accelerometer velocimeter gyro force torque magnetometer rangefinder"
_OF_JOINT = "jointpos jointvel jointactuatorfrc ballquat ballangvel jointlimitpos jointlimitvel jointlimitfrc"
_OF_TENDON = "tendonpos tendonvel tendonlimitpos tendonlimitvel tendonlimitfrc"
_OF_FRAME = "framepos framequat framexaxis frameyaxis framezaxis framelinvel frameangvel"

_LISTED = {
    "mujoco": "model",
    "include": "file",
    "compiler": "alignfree angle assetdir autolimits balanceinertia boundinertia boundmass discardvisual "
    "eulerseq fitaabb fusestatic inertiafromgeom inertiagrouprange meshdir settotalmass "
    "texturedir",
    "option": "ccd_iterations ccd_tolerance cone density gravity impratio integrator iterations "
    "jacobian ls_iterations ls_tolerance magnetic noslip_iterations noslip_tolerance "
    "o_friction o_margin o_solimp o_solref sleep_tolerance solver timestep tolerance "
    "viscosity wind",
    "flag": "actuation autoreset clampctrl constraint contact damper energy equality eulerdamp "
    "filterparent frictionloss fwdinv gravity invdiscrete island limit midphase multiccd "
    "nativeccd override refsafe sensor sleep spring warmstart",
    "size": "memory nkey",
    "statistic": "center extent meaninertia meanmass meansize",
    "visual": "",
    "global": "azimuth bvactive cameraid elevation ellipsoidinertia fovy glow ipd linewidth offheight "
    "offwidth orthographic realtime",
    "quality": "numquads numslices numstacks offsamples shadowsize",
    "headlight": "active ambient diffuse specular",
    "map": "actuatortendon alpha fogend fogstart force haze shadowclip shadowscale stiffness "
    "stiffnessrot torque zfar znear",
    "scale": "actuatorlength actuatorwidth camera com connect constraint contactheight contactwidth "
    "forcewidth framelength framewidth frustum jointlength jointwidth light selectpoint "
    "slidercrank",
    "rgba": "actuator actuatornegative actuatorpositive bv bvactive camera com connect constraint "
    "contactforce contactfriction contactgap contactpoint contacttorque crankbroken fog force "
    "frustum haze inertia joint light rangefinder selectpoint slidercrank",
    "default": "class",
    "asset": "",
    "mesh": f"{_NAMED} face file inertia material maxhullvert normal refpos refquat scale smoothnormal "
    "texcoord vertex",
    "material": f"{_NAMED} emission metallic reflectance rgba roughness shininess specular texrepeat "
    "texuniform",
    "worldbody": "",
    "body": f"{_TURNED} childclass gravcomp mocap name pos simple sleep",
    "frame": f"{_TURNED} childclass name pos",
    "inertial": f"{_TURNED} diaginertia fullinertia mass pos",
    # Also of defaults, fixed tendons and equalities, which have fewer attributes and these others.
    "joint": f"{_NAMED} {_LIMITED} {_EQUAL} actuatorgravcomp axis coef joint joint1 joint2 polycoef pos "
    "ref springdamper springref springyield type",
    "freejoint": "align group name",
    "geom": f"{_NAMED} {_TURNED} {_CONTACT} adhesion castshadow conaffinity contype density fitscale "
    "fluidcoef fluidshape fromto geom group mass material mesh pos priority rgba shellinertia "
    "sidesite size solmix surfacevel type",
    "site": f"{_NAMED} {_TURNED} fromto group material mesh pos rgba site size type",
    "camera": f"{_NAMED} {_TURNED} fovy ipd mode pos projection target",
    "light": f"{_NAMED} active ambient attenuation bulbradius castshadow cutoff diffuse dir directional "
    "exponent intensity mode pos range softness specular target type",
    "pair": f"{_NAMED} {_CONTACT} adhesion geom1 geom2 solreffriction",
    "exclude": "body1 body2 name",
    "tendon": f"{_NAMED} {_LIMITED} {_EQUAL} material polycoef rgba springlength springyield tendon1 "
    "tendon2 width",
    "spatial": f"{_NAMED} {_LIMITED} material rgba springlength springyield width",
    "fixed": f"{_NAMED} {_LIMITED} springlength springyield",
    "pulley": "divisor",
    "equality": _EQUAL,
    "connect": f"{_NAMED} {_EQUAL} anchor body1 body2 site1 site2",
    "weld": f"{_NAMED} {_EQUAL} anchor body1 body2 relpose site1 site2 torquescale",
    "sensor": "",
    **dict.fromkeys(_OF_SITE.split(), f"{_SENSOR} site"),
    **dict.fromkeys(_OF_JOINT.split(), f"{_SENSOR} joint"),
    **dict.fromkeys(_OF_TENDON.split(), f"{_SENSOR} tendon"),
    **dict.fromkeys(_OF_FRAME.split(), f"{_SENSOR} objname objtype refname reftype"),
    **dict.fromkeys(("framelinacc", "frameangacc"), f"{_SENSOR} objname objtype"),
    **dict.fromkeys(("subtreecom", "subtreelinvel", "subtreeangmom"), f"{_SENSOR} body"),
    **dict.fromkeys(("distance", "normal", "fromto"), f"{_SENSOR} body1 body2 geom1 geom2"),
    **dict.fromkeys(("e_potential", "e_kinetic", "clock"), _SENSOR),
    "camprojection": f"{_SENSOR} camera site",
    "insidesite": f"{_SENSOR} objname objtype site",
    # The section of pairs, and the sensor.
    "contact": f"{_SENSOR} body1 body2 data geom1 geom2 num reduce site subtree1 subtree2",
    "keyframe": "",
    "key": "act ctrl mpos mquat name qpos qvel time",
}

ELEMENTS: Mapping[str, frozenset[str]] = {tag: frozenset(said.split()) for tag, said in _LISTED.items()}
"""The attributes that each element may have."""

UNITS: Mapping[str, int] = {"": 1} | {unit: 1024 ** (power + 1) for power, unit in enumerate("KMGTPE")}

MOST: Mapping[tuple[str, str], int] = {
    ("size", "memory"): 64 * 2**20,
    ("size", "nkey"): 100,
    ("global", "offwidth"): 4096,
    ("global", "offheight"): 4096,
    ("quality", "numquads"): 64,
    ("quality", "numslices"): 128,
    ("quality", "numstacks"): 128,
    ("quality", "offsamples"): 16,
    ("quality", "shadowsize"): 8192,
    ("contact", "num"): 100,
}
"""Numbers for which MuJoCo or a renderer sets memory aside, and the largest that is taken."""

MOST_ELEMENTS: Mapping[str, int] = {"body": 200, "geom": 500, "joint": 200, "site": 500}
"""How often an element may occur, defaults included."""
