"""The other side of loader.rs: prepares the slices it is asked for on standard input, and answers with
seconds. Argument: number of worker processes. A request is a line of JSON; prepared slices without augmentation
are raw files in the working directory.

Each worker keeps the volumes it has decoded, as far as `keep` says, and hands nothing back, which costs nothing."""

import json
import random
import sys
import time
from multiprocessing import Pool

import h5py
import nibabel
import numpy as np
from scipy.ndimage import rotate, zoom

SIZE, LOW_RES, BATCH = 224, 56, 12
SYNAPSE_CLASSES = np.array([0, 1, 2, 3, 4, 0, 5, 6, 7, 0, 0, 8, 0, 0], np.uint8)

volumes = {}


def windowed(hounsfield):
    image = np.clip(hounsfield.astype(np.float32), -125, 275)
    return (image + np.float32(125)) / np.float32(400)


def canonical(path, index=None):
    """The voxels (z, y, x) in RAS+, or those of one slice (y, x)."""
    scan = nibabel.load(path)
    flips = nibabel.io_orientation(scan.affine)
    assert (flips[:, 0] == [0, 1, 2]).all()
    x, y, z = (int(step) for step in flips[:, 1])
    if index is None:
        return np.asanyarray(scan.dataobj)[::x, ::y, ::z].T
    index = index if z > 0 else scan.shape[2] - 1 - index
    return scan.dataobj[..., index][::x, ::y].T


def nifti_slice(image, label, index, keep):
    if not keep:
        return windowed(canonical(image, index)), SYNAPSE_CLASSES[canonical(label, index).astype(np.uint8)]
    if image not in volumes:
        classes = SYNAPSE_CLASSES[canonical(label).astype(np.uint8)]
        volumes[image] = np.ascontiguousarray(windowed(canonical(image))), np.ascontiguousarray(classes)
    images, labels = volumes[image]
    return images[index], labels[index]


def npz_slice(image, _label, _index, _keep):
    with np.load(image) as arrays:
        return arrays["image"], arrays["label"].astype(np.uint8)


def h5_slice(image, _label, index, _keep):
    with h5py.File(image) as file:
        return file["image"][index], file["label"][index].astype(np.uint8)


def samed(image, label):
    if random.random() > 0.5:
        turns, axis = random.randrange(4), random.randrange(2)
        image = np.flip(np.rot90(image, turns), axis).copy()
        label = np.flip(np.rot90(label, turns), axis).copy()
    elif random.random() > 0.5:
        degrees = random.randrange(-20, 20)
        image = rotate(image, degrees, order=0, reshape=False)
        label = rotate(label, degrees, order=0, reshape=False)
    return image, label


def prepared(image, label, index, keep, augment):
    read = nifti_slice if image.endswith(".nii.gz") else npz_slice if image.endswith(".npz") else h5_slice
    image, label = read(image, label, index, keep)
    if augment:
        image, label = samed(image, label)
    height, width = image.shape
    image = zoom(image, (SIZE / height, SIZE / width), order=3)
    label = zoom(label, (SIZE / height, SIZE / width), order=0)
    return image, label, zoom(label, (LOW_RES / SIZE, LOW_RES / SIZE), order=0)


def batch(job):
    slices, keep, fresh = job
    if fresh:
        volumes.clear()
    made = [prepared(*one, keep, True) for one in slices]
    return np.stack([image for image, _, _ in made]).shape


def answer(pool, request):
    slices, keep = request["slices"], request["keep"]
    if not request["augment"]:
        for name, arrays in zip(["image", "label", "low_res"], zip(*(prepared(*one, keep, False) for one in slices))):
            np.stack(arrays).tofile(name)
        return
    batches = [slices[i : i + BATCH] for i in range(0, len(slices), BATCH)]
    # Chunks of one job: the first of each worker begins with nothing decoded.
    workers = int(sys.argv[1])
    jobs = [(one, keep, request["fresh"] and nth < workers) for nth, one in enumerate(batches)]
    for _ in pool.imap(batch, jobs):
        pass


if __name__ == "__main__":
    with Pool(int(sys.argv[1])) as pool:
        for line in sys.stdin:
            start = time.perf_counter()
            answer(pool, json.loads(line))
            print(time.perf_counter() - start, flush=True)
