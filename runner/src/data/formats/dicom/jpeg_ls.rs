//! JPEG-LS pictures of one component (ITU-T T.87 | ISO/IEC 14495-1), lossless and near-lossless. Names as in the
//! standard's annex A.

/// The samples of a picture of `width`×`height` pixels, row by row.
///
/// # Errors
/// Another size, several components, restart intervals, or damage.
pub(super) fn decode(data: &[u8], width: usize, height: usize) -> Result<Vec<u16>, &'static str> {
    let mut markers = Markers { data };
    let mut frame = None;
    let mut preset = [0; 5];
    loop {
        let (marker, segment) = markers.next().ok_or(DAMAGED)?;
        match (marker, segment) {
            (0xf7, &[bits, y0, y1, x0, x1, components, ..]) => {
                if components != 1 {
                    return Err("a JPEG-LS picture of several components; grey images are read");
                }
                let found = [[x0, x1], [y0, y1]].map(|n| usize::from(u16::from_be_bytes(n)));
                if found != [width, height] || !(2..=16).contains(&bits) {
                    return Err("a JPEG-LS picture of another size than the image's");
                }
                frame = Some(u32::from(bits));
            }
            (0xf8, &[1, ref values @ ..]) => {
                let values = values.as_chunks::<2>().0.iter();
                for (to, value) in preset.iter_mut().zip(values) {
                    *to = i32::from(u16::from_be_bytes(*value));
                }
            }
            (0xf8, _) => return Err("JPEG-LS with tables of its own, which is not read"),
            (0xdd, _) => return Err("JPEG-LS with restart intervals, which is not read"),
            (0xda, &[1, _, _, near, _, _]) => {
                let bits = frame.ok_or(DAMAGED)?;
                let mut scan = Scan::new(markers.data, bits, i32::from(near), preset)?;
                return scan.samples(width, height);
            }
            (0xda, _) => return Err(DAMAGED),
            _ => {}
        }
    }
}

const DAMAGED: &str = "JPEG-LS that is damaged or ends early";

/// Marker segments up to the scan's data.
struct Markers<'a> {
    data: &'a [u8],
}

impl<'a> Markers<'a> {
    /// The next marker's second byte and what belongs to it.
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        // Any number of bytes 0xff may stand before a marker.
        while let [0xff, 0xff, ..] = self.data {
            self.data = &self.data[1..];
        }
        let [0xff, marker, rest @ ..] = self.data else {
            return None;
        };
        self.data = rest;
        if *marker == 0xd8 {
            return Some((*marker, &[]));
        }
        let (length, _) = rest.split_first_chunk::<2>()?;
        let (segment, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        self.data = rest;
        Some((*marker, segment.get(2..)?))
    }
}

/// Bits, the most significant first. A byte after 0xff holds seven.
struct Bits<'a> {
    data: &'a [u8],
    /// Read but not taken, from the most significant bit down.
    held: u64,
    count: u32,
    after_ff: bool,
}

impl Bits<'_> {
    fn take(&mut self, count: u32) -> Result<u32, &'static str> {
        if count == 0 {
            return Ok(0);
        }
        self.fill();
        self.count = self.count.checked_sub(count).ok_or(DAMAGED)?;
        let bits = self.held >> (64 - count);
        self.held <<= count;
        Ok(bits as u32)
    }

    /// The number of zeros before a one, which is taken too.
    fn zeros(&mut self) -> Result<u32, &'static str> {
        let mut zeros = 0;
        loop {
            self.fill();
            let found = self.held.leading_zeros();
            if found < self.count {
                self.take(found + 1)?;
                return Ok(zeros + found);
            }
            // The longest that is written is below 64.
            zeros += self.count;
            if self.count == 0 || zeros > 64 {
                return Err(DAMAGED);
            }
            self.held = 0;
            self.count = 0;
        }
    }

    fn fill(&mut self) {
        while self.count <= 56 {
            let Some((&byte, rest)) = self.data.split_first() else {
                return;
            };
            let bits = if self.after_ff { 7 } else { 8 };
            if self.after_ff && byte >= 0x80 {
                // A marker: the scan ends.
                self.data = &[];
                return;
            }
            self.held |= u64::from(byte) << (64 - bits - self.count);
            self.count += bits;
            self.after_ff = byte == 0xff;
            self.data = rest;
        }
    }
}

/// Run lengths are coded in blocks of 2^J.
const J: [u32; 32] = [
    0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 9, 10, 11, 12, 13,
    14, 15,
];

/// Statistics of what was decoded in like places.
#[derive(Clone, Copy)]
struct Context {
    a: i32,
    b: i32,
    c: i32,
    n: i32,
    nn: i32,
}

impl Context {
    /// Bits of a code's remainder: the least k with N·2^k ≥ `a`.
    fn k(&self, a: i32) -> u32 {
        let mut k = 0;
        while k < 24 && self.n << k < a {
            k += 1;
        }
        k
    }
}

struct Scan<'a> {
    bits: Bits<'a>,
    max: i32,
    near: i32,
    thresholds: [i32; 3],
    reset: i32,
    range: i32,
    /// Bits of an error that is written as it is.
    qbpp: u32,
    limit: u32,
    /// 365 of gradients, then two of ends of runs.
    contexts: [Context; 367],
    run_index: usize,
}

impl<'a> Scan<'a> {
    /// `preset`: MAXVAL, T1, T2, T3 and RESET, 0 for the standard's defaults (C.2.4.1.1).
    fn new(data: &'a [u8], bits: u32, near: i32, preset: [i32; 5]) -> Result<Self, &'static str> {
        let or = |value, default| if value == 0 { default } else { value };
        let max = or(preset[0], (1 << bits) - 1);
        let clamp = |value: i32, least: i32| match (least..=max).contains(&value) {
            true => value,
            false => least,
        };
        let [t1, t2, t3] = if max >= 128 {
            let factor = (max.min(4095) + 128) / 256;
            [factor + 2, factor * 4 + 3, factor * 17 + 4]
        } else {
            let factor = 256 / (max + 1);
            [
                (3 / factor).max(2),
                (7 / factor).max(3),
                (21 / factor).max(4),
            ]
        };
        let t1 = or(preset[1], clamp(t1 + 3 * near, near + 1));
        let t2 = or(preset[2], clamp(t2 + 5 * near, t1));
        let t3 = or(preset[3], clamp(t3 + 7 * near, t2));
        let reset = or(preset[4], 64);
        // Larger ones than are written would let sums overflow.
        if reset > 4095 || max >= 1 << bits || near > max / 2 || t1 > t2 || t2 > t3 || t3 > max {
            return Err(DAMAGED);
        }
        let range = (max + 2 * near) / (2 * near + 1) + 1;
        let bits_of = |values: i32| (values as u32).next_power_of_two().ilog2();
        let bpp = bits_of(max + 1).max(2);
        let context = Context {
            a: ((range + 32) / 64).max(2),
            b: 0,
            c: 0,
            n: 1,
            nn: 0,
        };
        Ok(Self {
            bits: Bits {
                data,
                held: 0,
                count: 0,
                after_ff: false,
            },
            max,
            near,
            thresholds: [t1, t2, t3],
            reset,
            range,
            qbpp: bits_of(range),
            limit: 2 * (bpp + bpp.max(8)),
            contexts: [context; 367],
            run_index: 0,
        })
    }

    fn samples(&mut self, width: usize, height: usize) -> Result<Vec<u16>, &'static str> {
        let mut samples = Vec::new();
        // With one sample more on either side.
        let mut above = vec![0; width + 2];
        let mut line = above.clone();
        for _ in 0..height {
            line[0] = above[1];
            above[width + 1] = above[width];
            self.line(&above, &mut line)?;
            samples.extend(line[1..=width].iter().map(|sample| *sample as u16));
            std::mem::swap(&mut above, &mut line);
        }
        Ok(samples)
    }

    fn line(&mut self, above: &[i32], line: &mut [i32]) -> Result<(), &'static str> {
        let end = line.len() - 1;
        let mut x = 1;
        while x < end {
            let [ra, rb, rc, rd] = [line[x - 1], above[x], above[x - 1], above[x + 1]];
            let gradients = [rd - rb, rb - rc, rc - ra];
            if gradients.iter().any(|d| d.abs() > self.near) {
                line[x] = self.regular([ra, rb, rc], gradients)?;
                x += 1;
                continue;
            }
            let run = self.run(end - x)?;
            line[x..x + run].fill(ra);
            x += run;
            if x < end {
                line[x] = self.run_end(ra, above[x])?;
                x += 1;
            }
        }
        Ok(())
    }

    /// A sample from its neighbours to the left, above and above to the left (A.4 to A.6).
    fn regular(
        &mut self,
        [ra, rb, rc]: [i32; 3],
        gradients: [i32; 3],
    ) -> Result<i32, &'static str> {
        let [q1, q2, q3] = gradients.map(|d| self.quantized(d));
        let q = (q1 * 9 + q2) * 9 + q3;
        let sign = q.signum();
        let q = q.unsigned_abs() as usize;
        let context = self.contexts[q];
        let predicted = match (ra.min(rb), ra.max(rb)) {
            (low, high) if rc >= high => low,
            (low, high) if rc <= low => high,
            _ => ra + rb - rc,
        };
        let predicted = (predicted + sign * context.c).clamp(0, self.max);
        let k = context.k(context.a);
        let mapped = self.golomb(k, self.limit)?;
        let swapped = self.near == 0 && k == 0 && 2 * context.b <= -context.n;
        let error = match (mapped % 2 == 0, swapped) {
            (true, false) => mapped / 2,
            (false, false) => -(mapped + 1) / 2,
            (true, true) => -(mapped / 2) - 1,
            (false, true) => (mapped - 1) / 2,
        };
        let (step, reset) = (2 * self.near + 1, self.reset);
        let context = &mut self.contexts[q];
        context.b += error * step;
        context.a += error.abs();
        if context.n == reset {
            context.a >>= 1;
            context.b >>= 1;
            context.n >>= 1;
        }
        context.n += 1;
        if context.b <= -context.n {
            context.b = (context.b + context.n).max(1 - context.n);
            context.c = (context.c - 1).max(-128);
        } else if context.b > 0 {
            context.b = (context.b - context.n).min(0);
            context.c = (context.c + 1).min(127);
        }
        Ok(self.reconstructed(predicted, sign * error))
    }

    fn quantized(&self, gradient: i32) -> i32 {
        let size = gradient.abs();
        let above = self.thresholds.iter().filter(|t| size >= **t).count() as i32;
        match size > self.near {
            true => gradient.signum() * (above + 1),
            false => 0,
        }
    }

    /// How many of `left` samples are as the one before them (A.7.1).
    fn run(&mut self, left: usize) -> Result<usize, &'static str> {
        let mut run = 0;
        while self.bits.take(1)? == 1 {
            let block = 1 << J[self.run_index];
            if run + block <= left {
                self.run_index = (self.run_index + 1).min(31);
            }
            run = (run + block).min(left);
            if run == left {
                return Ok(run);
            }
        }
        run += self.bits.take(J[self.run_index])? as usize;
        if run < left { Ok(run) } else { Err(DAMAGED) }
    }

    /// The sample that ends a run of `ra` below `rb` (A.7.2).
    fn run_end(&mut self, ra: i32, rb: i32) -> Result<i32, &'static str> {
        let alike = i32::from((ra - rb).abs() <= self.near);
        let which = 365 + alike as usize;
        let context = self.contexts[which];
        let k = context.k(context.a + alike * (context.n >> 1));
        let mapped = self.golomb(k, self.limit - J[self.run_index] - 1)?;
        self.run_index = self.run_index.saturating_sub(1);
        let odd = (mapped + alike) % 2;
        let size = (mapped + alike + odd) / 2;
        let negative = (k != 0 || 2 * context.nn >= context.n) == (odd == 1);
        let error = if negative { -size } else { size };
        let reset = self.reset;
        let context = &mut self.contexts[which];
        context.nn += i32::from(error < 0);
        context.a += (mapped + 1 - alike) >> 1;
        if context.n == reset {
            context.a >>= 1;
            context.n >>= 1;
            context.nn >>= 1;
        }
        context.n += 1;
        Ok(match alike == 1 {
            true => self.reconstructed(ra, error),
            false => self.reconstructed(rb, if ra > rb { -error } else { error }),
        })
    }

    /// A code of at most `limit` bits with a remainder of `k` (A.5.3).
    fn golomb(&mut self, k: u32, limit: u32) -> Result<i32, &'static str> {
        let zeros = self.bits.zeros()?;
        let code = match zeros < limit - self.qbpp - 1 {
            true => (zeros << k) + self.bits.take(k)?,
            false => self.bits.take(self.qbpp)? + 1,
        };
        match code <= 2 * self.range as u32 {
            true => Ok(code as i32),
            false => Err(DAMAGED),
        }
    }

    fn reconstructed(&self, predicted: i32, error: i32) -> i32 {
        let step = 2 * self.near + 1;
        let sample = predicted + error * step;
        let wrapped = match sample {
            below if below < -self.near => below + self.range * step,
            above if above > self.max + self.near => above - self.range * step,
            sample => sample,
        };
        wrapped.clamp(0, self.max)
    }
}
