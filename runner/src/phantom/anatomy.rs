//! The anatomy of one made-up patient: body wall, organs and what surrounds them, drawn at random
//! around typical adult positions and sizes. Attenuations are in Hounsfield units.

use super::shape::{Point, Shape};
use samora_engine::random::Stream;

/// How the inside of an organ looks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Texture {
    /// Mottled by ± this many units.
    Mottled(f32),
    /// A wall around fluid with a gas bubble on top: attenuation of the fluid, share of gas.
    Hollow { fluid: f32, gas: f32 },
    /// A bright rind around a darker core, darker by this many units.
    Rind(f32),
}

/// One painted structure. Later ones cover earlier ones.
#[derive(Clone, Debug)]
pub(super) struct Structure {
    pub(super) shape: Shape,
    /// Value in Synapse's original numbering; 0 for structures that are not labelled.
    pub(super) label: u8,
    pub(super) attenuation: f32,
    pub(super) texture: Texture,
    /// How strongly the surface is lobulated.
    pub(super) lobulation: f32,
}

impl Structure {
    /// Oesophagus, aorta and vena cava run on into the thorax.
    pub(super) fn passes_diaphragm(&self) -> bool {
        matches!(self.label, 5 | 8 | 9)
    }
}

/// Everything about one patient and scan.
#[derive(Clone, Debug)]
pub(super) struct Patient {
    /// Half axes of the body's cross-section, right and anterior.
    pub(super) body: [f32; 2],
    /// Thickness of the fat under the skin and of the muscle beneath.
    pub(super) fat: f32,
    pub(super) muscle: f32,
    /// Height of the lungs' lower end at the middle of each side.
    pub(super) diaphragm: f32,
    pub(super) structures: Vec<Structure>,
    pub(super) scan: Scan,
}

/// Properties of the scan.
#[derive(Clone, Debug)]
pub(super) struct Scan {
    /// Standard deviation of the noise.
    pub(super) noise: f32,
    /// Amplitude of the slow brightness change across the volume.
    pub(super) bias: f32,
    /// Amplitude of streaks and where they start.
    pub(super) streaks: f32,
    pub(super) streak_source: Point,
    /// Amplitude in millimetres of the smooth warp of the whole anatomy.
    pub(super) warp: f32,
}

impl Patient {
    /// Draws a patient.
    pub(super) fn draw(stream: &mut Stream) -> Self {
        let scale = stream.range(0.9, 1.1);
        let body = [
            scale * stream.range(150.0, 168.0),
            scale * stream.range(105.0, 125.0),
        ];
        let contrast = stream.uniform();
        let mut artist = Artist {
            stream,
            scale,
            contrast,
            structures: Vec::new(),
        };
        artist.bowel();
        artist.muscles();
        artist.liver();
        artist.stomach();
        artist.spleen();
        artist.pancreas();
        artist.kidneys();
        artist.gallbladder();
        artist.vessels();
        let structures = artist.structures;
        Self {
            body,
            fat: stream.range(10.0, 24.0),
            muscle: stream.range(8.0, 13.0),
            diaphragm: stream.range(78.0, 98.0),
            structures,
            scan: Scan {
                noise: stream.range(10.0, 24.0),
                bias: stream.range(0.0, 18.0),
                streaks: if stream.uniform() < 0.4 {
                    stream.range(10.0, 30.0)
                } else {
                    0.0
                },
                streak_source: [stream.range(-90.0, 90.0), stream.range(-70.0, 60.0), 0.0],
                warp: stream.range(2.5, 6.5),
            },
        }
    }
}

/// Draws structures one after the other.
struct Artist<'a> {
    stream: &'a mut Stream,
    scale: f32,
    /// 0 without, 1 with full contrast agent.
    contrast: f32,
    structures: Vec<Structure>,
}

impl Artist<'_> {
    /// Loops of bowel in front and below, some with gas, as bright as any organ.
    fn bowel(&mut self) {
        for _ in 0..34 {
            let z = self.stream.range(-110.0, 25.0);
            let start = [
                self.stream.range(-115.0, 115.0),
                self.stream.range(-20.0, 85.0),
                z,
            ];
            let radius = self.stream.range(8.0, 17.0);
            let end = start.map(|c| c + self.stream.range(-38.0, 38.0));
            let tube = vec![
                [start[0], start[1], start[2], radius],
                [end[0], end[1], end[2], radius * self.stream.range(0.7, 1.2)],
            ];
            let (fluid, gas) = (self.stream.range(0.0, 110.0), self.stream.range(-0.8, 0.7));
            self.add(
                Shape::Tube(tube),
                0,
                [30.0, 110.0],
                Texture::Hollow { fluid, gas },
                0.1,
            );
        }
    }

    /// Psoas and the muscles beside the spine.
    fn muscles(&mut self) {
        for side in [-1.0, 1.0] {
            let back = [side * 36.0, -92.0, 0.0];
            self.ellipsoid(
                back,
                [27.0, 20.0, 300.0],
                0,
                [45.0, 65.0],
                Texture::Mottled(8.0),
                0.0,
            );
            let psoas = [side * 37.0, -52.0, -85.0];
            self.ellipsoid(
                psoas,
                [17.0, 18.0, 75.0],
                0,
                [45.0, 65.0],
                Texture::Mottled(8.0),
                0.0,
            );
        }
    }

    fn liver(&mut self) {
        let enhanced = 55.0 + 60.0 * self.contrast;
        let shade = [enhanced - 12.0, enhanced + 12.0];
        let texture = Texture::Mottled(10.0);
        let attenuation = self.stream.range(shade[0], shade[1]);
        let size = self.stream.range(0.88, 1.1);
        let half = [74.0, 72.0, 66.0].map(|h| h * size);
        let shade = [attenuation, attenuation];
        self.ellipsoid([72.0, 12.0, 42.0], half, 6, shade, texture, 0.05);
        let half = [62.0, 34.0, 34.0].map(|h| h * size);
        self.ellipsoid([12.0, 50.0, 52.0], half, 6, shade, texture, 0.05);
    }

    fn stomach(&mut self) {
        let (fluid, gas) = (self.stream.range(0.0, 75.0), self.stream.range(-0.4, 0.6));
        let half = [
            self.stream.range(30.0, 46.0),
            self.stream.range(26.0, 38.0),
            self.stream.range(34.0, 50.0),
        ];
        let texture = Texture::Hollow { fluid, gas };
        self.ellipsoid([-58.0, 36.0, 42.0], half, 7, [45.0, 95.0], texture, 0.08);
    }

    fn spleen(&mut self) {
        let enhanced = 50.0 + 70.0 * self.contrast;
        let size = self.stream.range(0.8, 1.25);
        let half = [25.0, 40.0, 44.0].map(|h| h * size);
        let shade = [enhanced - 12.0, enhanced + 12.0];
        self.ellipsoid(
            [-102.0, -38.0, 48.0],
            half,
            1,
            shade,
            Texture::Mottled(9.0),
            0.06,
        );
    }

    /// Head beside the duodenum, body across the spine, tail towards the spleen.
    fn pancreas(&mut self) {
        let enhanced = 45.0 + 55.0 * self.contrast;
        let shift: Point = self.jitter(7.0);
        let radius = self.stream.range(12.0, 15.5);
        let bend = self.stream.range(-8.0, 8.0);
        let points = [
            [40.0, 8.0, -22.0, 1.25],
            [28.0, 20.0, 0.0, 1.15],
            [-6.0, 30.0 + bend, 12.0, 0.9],
            [-42.0, 8.0 + bend, 22.0, 0.95],
            [-72.0, -14.0, 32.0, 0.8],
        ];
        let tube = points.map(|p| {
            [
                self.scale * (p[0] + shift[0]),
                self.scale * (p[1] + shift[1]),
                p[2] + shift[2],
                radius * p[3],
            ]
        });
        let shade = [enhanced - 12.0, enhanced + 12.0];
        self.add(
            Shape::Tube(tube.to_vec()),
            11,
            shade,
            Texture::Mottled(24.0),
            0.28,
        );
    }

    fn kidneys(&mut self) {
        let enhanced = 40.0 + 130.0 * self.contrast;
        for (label, side, z) in [(2, 1.0, -28.0), (3, -1.0, -12.0)] {
            let centre = [side * 62.0, -52.0, z];
            let half = [
                self.stream.range(22.0, 29.0),
                self.stream.range(23.0, 30.0),
                self.stream.range(44.0, 56.0),
            ];
            let rind = Texture::Rind(10.0 + 35.0 * self.contrast);
            let shade = [enhanced - 15.0, enhanced + 15.0];
            let kidney = self.ellipsoid(centre, half, label, shade, rind, 0.03);
            // The renal sinus opens towards the spine: fat, not part of the organ.
            let sinus = [
                kidney[0] - side * half[0] * 0.75,
                kidney[1] + 4.0,
                kidney[2],
            ];
            let half = [half[0] * 0.5, half[1] * 0.36, half[2] * 0.36];
            self.exactly(sinus, half, 0, -90.0, Texture::Mottled(15.0));
        }
    }

    fn gallbladder(&mut self) {
        let size = self.stream.range(0.85, 1.3);
        let half = [15.0, 18.0, 25.0].map(|h| h * size);
        self.ellipsoid(
            [58.0, 52.0, -8.0],
            half,
            4,
            [0.0, 28.0],
            Texture::Mottled(3.0),
            0.03,
        );
    }

    /// Portal vein, vena cava, oesophagus and aorta.
    fn vessels(&mut self) {
        let venous = 45.0 + 110.0 * self.contrast;
        let arterial = 45.0 + 170.0 * self.contrast;
        let sway: Point = self.jitter(6.0);
        let portal = [
            [8.0, 12.0, 2.0, 7.5],
            [34.0, 14.0, 24.0, 7.5],
            [58.0, 16.0, 38.0, 5.0],
        ];
        let vertical = |x: f32, y: f32, low: f32, high: f32, r: f32| {
            [0.0, 0.5, 1.0].map(|t| {
                [
                    x + sway[0] * t,
                    y + sway[1] * t * t,
                    low + (high - low) * t,
                    r,
                ]
            })
        };
        let cava = vertical(20.0, -34.0, -160.0, 160.0, self.stream.range(10.0, 13.5));
        let gullet = vertical(-6.0, -14.0, 62.0, 160.0, self.stream.range(6.5, 9.0));
        let aorta = vertical(-12.0, -36.0, -160.0, 160.0, self.stream.range(10.0, 14.0));
        let smooth = Texture::Mottled(4.0);
        for (tube, label, shade) in [
            (portal, 10, venous),
            (cava, 9, venous),
            (gullet, 5, 55.0),
            (aorta, 8, arterial),
        ] {
            let shade = [shade - 12.0, shade + 12.0];
            self.add(Shape::Tube(tube.to_vec()), label, shade, smooth, 0.03);
        }
    }

    /// Adds an ellipsoid near `centre` and returns its centre.
    fn ellipsoid(
        &mut self,
        centre: Point,
        half: Point,
        label: u8,
        attenuation: [f32; 2],
        texture: Texture,
        lobulation: f32,
    ) -> Point {
        let jitter = self.jitter(if label == 0 { 3.0 } else { 8.0 });
        let centre = [
            self.scale * centre[0] + jitter[0],
            self.scale * centre[1] + jitter[1],
            centre[2] + jitter[2],
        ];
        let shape = Shape::Ellipsoid {
            centre,
            half: half.map(|h| h * self.scale),
            yaw: self.stream.range(-0.25, 0.25),
            roll: self.stream.range(-0.2, 0.2),
        };
        self.add(shape, label, attenuation, texture, lobulation);
        centre
    }

    fn exactly(&mut self, centre: Point, half: Point, label: u8, shade: f32, texture: Texture) {
        let shape = Shape::Ellipsoid {
            centre,
            half,
            yaw: 0.0,
            roll: 0.0,
        };
        self.add(shape, label, [shade, shade], texture, 0.1);
    }

    fn add(
        &mut self,
        shape: Shape,
        label: u8,
        attenuation: [f32; 2],
        texture: Texture,
        lobulation: f32,
    ) {
        let attenuation = self.stream.range(attenuation[0], attenuation[1]);
        self.structures.push(Structure {
            shape,
            label,
            attenuation,
            texture,
            lobulation,
        });
    }

    fn jitter(&mut self, reach: f32) -> Point {
        [0; 3].map(|_| self.stream.range(-reach, reach))
    }
}
