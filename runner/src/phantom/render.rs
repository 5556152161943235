//! Paints a patient on a voxel grid and scans it: partial volume, noise, brightness drift and
//! streaks.

use super::anatomy::{Patient, Structure, Texture};
use super::noise::{Lattice, Warp};
use super::shape::Point;
use samora_engine::random::Stream;

/// Attenuation in Hounsfield units and labels in Synapse's original numbering, x fastest.
pub(super) struct Scanned {
    pub(super) hounsfield: Vec<i16>,
    pub(super) labels: Vec<u8>,
}

const AIR: f32 = -1000.0;
const FAT: f32 = -100.0;
const LUNG: f32 = -830.0;

/// Renders `patient` on `shape` voxels of `spacing` millimetres around the body's centre.
pub(super) fn render(
    patient: &Patient,
    shape: [usize; 3],
    spacing: [f32; 3],
    stream: &mut Stream,
) -> Scanned {
    let mut canvas = Canvas::new(patient, shape, spacing, stream);
    canvas.paint_body(patient);
    for structure in &patient.structures {
        canvas.paint(structure);
    }
    canvas.paint_spine();
    canvas.blur_in_plane();
    canvas.scan(patient, stream)
}

/// Where a voxel lies in the body.
#[derive(Clone, Copy, PartialEq)]
enum Region {
    /// Outside, skin, fat, muscle and ribs.
    Wall,
    /// Above the diaphragm.
    Thorax,
    /// Where organs lie.
    Abdomen,
}

struct Canvas {
    shape: [usize; 3],
    spacing: [f32; 3],
    attenuation: Vec<f32>,
    labels: Vec<u8>,
    regions: Vec<Region>,
    /// Anatomical position of each voxel.
    places: Vec<Point>,
    texture: Lattice,
}

impl Canvas {
    fn new(patient: &Patient, shape: [usize; 3], spacing: [f32; 3], stream: &mut Stream) -> Self {
        let warp = Warp::draw(patient.scan.warp, stream);
        let count: usize = shape.iter().product();
        let places = (0..count)
            .map(|i| {
                let index = [
                    i % shape[0],
                    i / shape[0] % shape[1],
                    i / (shape[0] * shape[1]),
                ];
                let place = [0, 1, 2].map(|axis| {
                    (index[axis] as f32 - (shape[axis] as f32 - 1.0) / 2.0) * spacing[axis]
                });
                warp.apply(place)
            })
            .collect();
        Self {
            shape,
            spacing,
            attenuation: vec![AIR; count],
            labels: vec![0; count],
            regions: vec![Region::Wall; count],
            places,
            texture: Lattice::draw(stream),
        }
    }

    /// Skin, fat, muscle with ribs, and the cavity with the lungs' lower ends.
    fn paint_body(&mut self, patient: &Patient) {
        let [a, b] = patient.body;
        for (i, p) in self.places.iter().enumerate() {
            let level = (p[0] / a).abs().powf(2.4) + (p[1] / b).abs().powf(2.4);
            // Depth below the skin, to first order.
            let depth = (1.0 - level.powf(1.0 / 2.4)) * a.min(b);
            let grain = self.texture.at(*p, 7.0);
            let dome = patient.diaphragm
                - (((p[0].abs() - 65.0) / 80.0).powi(2) + (p[1] / 90.0).powi(2)) * 40.0;
            self.attenuation[i] = if depth < 0.0 {
                AIR
            } else if depth < 2.0 {
                20.0
            } else if depth < patient.fat {
                FAT + 10.0 * grain
            } else if depth < patient.fat + patient.muscle {
                let tilt = p[2] + 0.35 * (p[1] + b);
                let rib = p[2] > -25.0 && tilt.rem_euclid(30.0) < 9.0;
                let inner = depth > patient.fat + 2.0;
                if rib && inner {
                    330.0 + 90.0 * grain
                } else {
                    52.0 + 12.0 * grain
                }
            } else if p[2] > dome && p[1] > -80.0 {
                self.regions[i] = Region::Thorax;
                LUNG + 60.0 * grain
            } else {
                self.regions[i] = Region::Abdomen;
                FAT + 14.0 * grain
            };
        }
    }

    fn paint(&mut self, structure: &Structure) {
        let (low, high) = structure.shape.bounds();
        // The warp moves places by at most a few voxels beyond the solid's own box.
        const REACH: f32 = 26.0;
        let range = |axis: usize| {
            let centre = (self.shape[axis] as f32 - 1.0) / 2.0;
            let first = ((low[axis] - REACH) / self.spacing[axis] + centre)
                .floor()
                .max(0.0);
            let last = ((high[axis] + REACH) / self.spacing[axis] + centre)
                .ceil()
                .max(-1.0);
            first as usize..((last + 1.0) as usize).min(self.shape[axis])
        };
        let (nx, ny) = (self.shape[0], self.shape[1]);
        for z in range(2) {
            for y in range(1) {
                for x in range(0) {
                    let i = x + nx * (y + ny * z);
                    let open = match self.regions[i] {
                        Region::Wall => false,
                        Region::Thorax => structure.passes_diaphragm(),
                        Region::Abdomen => true,
                    };
                    if !open {
                        continue;
                    }
                    let p = self.places[i];
                    let edge = structure.lobulation * self.texture.at(p, 11.0);
                    let level = structure.shape.level(p) + edge;
                    if level < 1.0 {
                        self.labels[i] = structure.label;
                        self.attenuation[i] = self.shade(structure, p, level, low, high);
                    }
                }
            }
        }
    }

    fn shade(&self, structure: &Structure, p: Point, level: f32, low: Point, high: Point) -> f32 {
        let base = structure.attenuation;
        match structure.texture {
            Texture::Mottled(amplitude) => {
                let fine = self.texture.at(p, 4.5) + 0.6 * self.texture.at(p, 15.0);
                base + amplitude * fine
            }
            Texture::Rind(core) => base - if level < 0.72 { core } else { 0.0 },
            Texture::Hollow { fluid, gas } => {
                let front = (p[1] - low[1]) / (high[1] - low[1]).max(1.0);
                if level > 0.82 {
                    base
                } else if front > 1.0 - 0.6 * gas {
                    -880.0
                } else {
                    fluid + 12.0 * self.texture.at(p, 6.0)
                }
            }
        }
    }

    /// Vertebrae with discs between them, the canal and spinous processes.
    fn paint_spine(&mut self) {
        for (i, p) in self.places.iter().enumerate() {
            let within = |x: f32, y: f32, rx: f32, ry: f32| {
                ((p[0] - x) / rx).powi(2) + ((p[1] - y) / ry).powi(2)
            };
            let body = within(0.0, -66.0, 23.0, 18.0);
            let disc = p[2].rem_euclid(32.0) < 8.0;
            let grain = self.texture.at(*p, 5.0);
            let bone = if within(0.0, -90.0, 9.0, 8.0) < 1.0 {
                35.0
            } else if body < 1.0 && disc {
                80.0 + 10.0 * grain
            } else if body < 1.0 {
                let cortex = if body > 0.72 { 190.0 } else { 0.0 };
                190.0 + cortex + 70.0 * grain
            } else if within(0.0, -93.0, 16.0, 13.0) < 1.0 || within(0.0, -112.0, 5.0, 16.0) < 1.0 {
                360.0 + 60.0 * grain
            } else {
                continue;
            };
            self.attenuation[i] = bone;
            self.labels[i] = 0;
        }
    }

    /// Point spread in the slice plane: weights ¼ ½ ¼ along x, then y.
    fn blur_in_plane(&mut self) {
        let [nx, ny, _] = self.shape;
        for (step, length) in [(1, nx), (nx, ny)] {
            let sharp = self.attenuation.clone();
            for (i, value) in self.attenuation.iter_mut().enumerate() {
                let at = i / step % length;
                let before = if at > 0 { sharp[i - step] } else { sharp[i] };
                let after = if at + 1 < length {
                    sharp[i + step]
                } else {
                    sharp[i]
                };
                *value = 0.25 * before + 0.5 * sharp[i] + 0.25 * after;
            }
        }
    }

    fn scan(&self, patient: &Patient, stream: &mut Stream) -> Scanned {
        let scan = &patient.scan;
        let drift = Lattice::draw(stream);
        let slice = self.shape[0] * self.shape[1];
        let mut previous = 0.0;
        let mut hounsfield = Vec::with_capacity(self.attenuation.len());
        for (i, value) in self.attenuation.iter().enumerate() {
            let p = self.places[i];
            // Reconstruction makes the noise of neighbours alike.
            previous = 0.45 * previous + 0.9 * stream.normal();
            let [dx, dy] = [p[0] - scan.streak_source[0], p[1] - scan.streak_source[1]];
            let angle = dy.atan2(dx) * 11.0 + (i / slice) as f32 * 2.4;
            let streak = scan.streaks * angle.sin() * (-(dx.hypot(dy)) / 120.0).exp();
            let seen = value + scan.noise * previous + scan.bias * drift.at(p, 110.0) + streak;
            hounsfield.push(seen.round().clamp(-1024.0, 3071.0) as i16);
        }
        Scanned {
            hounsfield,
            labels: self.labels.clone(),
        }
    }
}
