"""Runs OpenSim on files of ours, in a process of its own: it logs, warns and leaves files where it likes.

``python opensim_worker.py WALK.trc MOTION.mot OUT.json``: both are read by OpenSim's own classes, a model of legs is
built as large as the markers say, and inverse kinematics is run on it; everything that it found goes into OUT.json.
"""

import json
import sys

import numpy as np
import opensim as osim

SIDES = {"R": 1.0, "L": -1.0}  # OpenSim's z points to the right
JOINTS = ("Hip", "Knee", "Ankle")


def column(table, name):
    """Return the places of a marker, (n, 3)."""
    flat = table.flatten()
    return np.stack([flat.getDependentColumn(f"{name}_{i}").to_numpy() for i in (1, 2, 3)], axis=-1)


def length(table, a, b):
    return float(np.nanmedian(np.linalg.norm(column(table, a) - column(table, b), axis=1)))


def turning(model, name, parent, child, at, axes, start):
    """Join two bodies by intrinsic turns about three axes; those without a coordinate's name do not turn."""
    transform = osim.SpatialTransform()
    functions = []  # kept as long as the transform is
    for i, (coordinate, axis) in enumerate(axes):
        names = osim.ArrayStr()
        if coordinate:
            names.append(coordinate)
        functions.append(osim.LinearFunction(1.0, 0.0) if coordinate else osim.Constant(0.0))
        transform.updTransformAxis(i).setCoordinateNames(names)
        transform.updTransformAxis(i).setAxis(osim.Vec3(*axis))
        transform.updTransformAxis(i).set_function(functions[-1])
    zero = osim.Vec3(0, 0, 0)
    joint = osim.CustomJoint(name, parent, osim.Vec3(*at), zero, child, zero, zero, transform)
    model.addJoint(joint)
    for i in range(sum(bool(coordinate) for coordinate, _ in axes)):
        joint.upd_coordinates(i).setRangeMin(-3.0)
        joint.upd_coordinates(i).setRangeMax(3.0)
        joint.upd_coordinates(i).setDefaultValue(start)


def legs(table):
    """Build a pelvis, with a trunk if there is a Neck, and two legs with hinges as knees."""
    model = osim.Model()
    model.setName("legs")

    def body(name):
        made = osim.Body(name, 1.0, osim.Vec3(0), osim.Inertia(0.1, 0.1, 0.1))
        model.addBody(made)
        return made

    def mark(name, frame, at):
        model.addMarker(osim.Marker(name, frame, osim.Vec3(*at)))

    pelvis = body("pelvis")
    model.addJoint(osim.FreeJoint("ground_pelvis", model.getGround(), pelvis))
    width = length(table, "LHip", "RHip") / 2
    names = list(table.getColumnLabels())
    if "Neck" in names:
        middle = (column(table, "LHip") + column(table, "RHip")) / 2
        height = float(np.nanmedian(np.linalg.norm(column(table, "Neck") - middle, axis=1)))
        mark("Neck", pelvis, (0, height, 0))
    for side, sign in SIDES.items():
        thigh, shank = body(f"thigh_{side}"), body(f"shank_{side}")
        low, long = (length(table, side + a, side + b) for a, b in (("Knee", "Ankle"), ("Hip", "Knee")))
        s = side.lower()
        at = (0, 0, sign * width)
        still = ("", (0, 1, 0))
        hip = [(f"hip_flexion_{s}", (0, 0, 1)), (f"hip_adduction_{s}", (sign, 0, 0)), still]
        knee = [(f"knee_angle_{s}", (0, 0, -1)), ("", (1, 0, 0)), still]
        turning(model, f"hip_{s}", pelvis, thigh, at, hip, 0.0)
        turning(model, f"knee_{s}", thigh, shank, (0, -long, 0), knee, 0.2)
        mark(f"{side}Hip", pelvis, at)
        mark(f"{side}Knee", thigh, (0, -long, 0))
        mark(f"{side}Ankle", shank, (0, -low, 0))
    model.finalizeConnections()
    return model


def main(trc, mot, out):
    osim.Logger.setLevelString("error")
    table = osim.TimeSeriesTableVec3(trc)
    markers = osim.MarkerData(trc)
    told = {
        "labels": list(table.getColumnLabels()),
        "rows": table.getNumRows(),
        "missing": int(sum(np.isnan(column(table, name)[:, 0]).sum() for name in table.getColumnLabels())),
        "unit": table.getTableMetaDataString("Units"),
        "rate": float(table.getTableMetaDataString("DataRate")),
        "hip": column(table, "LHip").tolist(),
        "marker_rows": markers.getNumFrames(),
        "marker_names": [markers.getMarkerNames().get(i) for i in range(markers.getNumMarkers())],
        "marker_unit": markers.getUnits().getLabel(),
    }
    motion = osim.Storage(mot)
    labels = motion.getColumnLabels()
    told["motion_rows"], told["in_degrees"] = motion.getSize(), motion.isInDegrees()
    told["motion"] = {}
    for i in range(1, labels.size()):
        values = osim.ArrayDouble()
        motion.getDataColumn(labels.get(i), values)
        told["motion"][labels.get(i)] = [values.get(k) for k in range(values.size())]
    model = legs(table)
    model.printToXML("legs.osim")
    tool = osim.InverseKinematicsTool()
    solver = osim.Model("legs.osim")  # kept as long as the tool is
    tool.setModel(solver)
    tool.setMarkerDataFileName(trc)
    times = table.getIndependentColumn()
    tool.setStartTime(times[0])
    tool.setEndTime(times[-1])
    tool.setOutputMotionFileName("ik.mot")
    for name in [*(side + joint for side in SIDES for joint in JOINTS), "Neck"]:
        if name in told["labels"]:
            task = osim.IKMarkerTask()
            task.setName(name)
            task.setApply(True)
            task.setWeight(0.05 if name == "Neck" else 1.0)  # a trunk bends
            tool.getIKTaskSet().cloneAndAppend(task)
    told["ran"] = tool.run()
    solved = osim.TimeSeriesTable("ik.mot")
    told["solved_rows"] = solved.getNumRows()
    told["solved"] = {
        name: solved.getDependentColumn(name).to_numpy().tolist()
        for name in solved.getColumnLabels()
        if name.startswith(("knee", "hip"))
    }
    with open(out, "w", encoding="utf-8") as stream:  # noqa: PTH123
        json.dump(told, stream)


if __name__ == "__main__":
    main(*sys.argv[1:])
