//! Buffers read as textures, where the adapter reads those faster ([`samora_shaders::Caps::texels`]).
//!
//! A texture holds a copy of a buffer, made when a kernel needs it and good until the buffer is written. Each
//! kernel's textures are chosen once, so that its bind group stays; within a budget every buffer has a texture
//! of its own, beyond that the one not used for longest is taken over.

use std::collections::HashMap;

use samora_shaders::TEXTURE_WIDTH;

use super::device::Device;
use super::texels::{ROW_BYTES, height, rows};
use crate::Place;

/// Bytes of all textures of a program, unless a single kernel needs more.
pub(super) const BYTES: u64 = 2 << 30;
/// A texture with room for a buffer.
#[derive(Debug)]
pub(super) struct Texture {
    texture: wgpu::Texture,
    /// How it is bound.
    pub(super) view: wgpu::TextureView,
    rows: u32,
}

impl Texture {
    /// A texture with room for `len` numbers.
    pub(super) fn new(device: &Device, len: usize) -> Self {
        device.count();
        let rows = height(len);
        let texture = device.device.create_texture(&wgpu::TextureDescriptor {
            label: Some("texels"),
            size: extent(TEXTURE_WIDTH as u32, rows),
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D2,
            format: wgpu::TextureFormat::Rgba32Float,
            usage: wgpu::TextureUsages::STORAGE_BINDING | wgpu::TextureUsages::COPY_DST,
            view_formats: &[],
        });
        Self {
            view: texture.create_view(&Default::default()),
            texture,
            rows,
        }
    }

    /// Copies `len` numbers of a buffer made by [`Device::buffer`], from a byte where a row starts.
    pub(super) fn copy(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        (buffer, offset): (&wgpu::Buffer, u64),
        len: usize,
    ) {
        let rows = rows(len);
        let width = match rows {
            1 => len.div_ceil(4).max(1),
            _ => TEXTURE_WIDTH,
        };
        let layout = wgpu::TexelCopyBufferLayout {
            offset,
            bytes_per_row: Some(ROW_BYTES as u32),
            rows_per_image: None,
        };
        encoder.copy_buffer_to_texture(
            wgpu::TexelCopyBufferInfo { buffer, layout },
            self.texture.as_image_copy(),
            extent(width as u32, rows),
        );
    }
}

fn extent(width: u32, height: u32) -> wgpu::Extent3d {
    wgpu::Extent3d {
        width,
        height,
        depth_or_array_layers: 1,
    }
}

/// The textures of a program and what they hold.
#[derive(Debug, Default)]
pub(super) struct Textures {
    textures: Vec<Texture>,
    /// What each texture is a copy of.
    holds: Vec<Option<Place>>,
    /// The textures that a place is ever copied to.
    copies: HashMap<Place, Vec<usize>>,
}

impl Textures {
    /// Chooses a texture for each of the places that kernels read as textures, in the kernels' order. `len`
    /// is the number of elements of a place; beyond `budget` bytes textures are taken over where they can.
    pub(super) fn choose(
        device: &Device,
        kernels: &[Vec<Place>],
        len: impl Fn(Place) -> usize,
        budget: u64,
    ) -> (Self, Vec<Vec<usize>>) {
        let mut all = Self::default();
        let mut of_place: HashMap<Place, usize> = HashMap::new();
        // For which place each texture stands, and the last kernel that reads it.
        let mut users: Vec<(Place, usize)> = Vec::new();
        let mut bytes = 0;
        let mut chosen = Vec::with_capacity(kernels.len());
        for (now, places) in kernels.iter().enumerate() {
            for &place in places {
                if let Some(&texture) = of_place.get(&place) {
                    users[texture].1 = now;
                    continue;
                }
                let need = height(len(place));
                let idle = |t: &usize| {
                    let (holder, last) = users[*t];
                    last < now && all.textures[*t].rows >= need && !places.contains(&holder)
                };
                let idle = (0..users.len()).filter(idle).min_by_key(|t| users[*t].1);
                let full = bytes + u64::from(need) * ROW_BYTES > budget;
                let texture = match idle.filter(|_| full) {
                    Some(texture) => {
                        of_place.remove(&users[texture].0);
                        users[texture] = (place, now);
                        texture
                    }
                    None => {
                        bytes += u64::from(need) * ROW_BYTES;
                        all.textures.push(Texture::new(device, len(place)));
                        users.push((place, now));
                        users.len() - 1
                    }
                };
                of_place.insert(place, texture);
                all.copies.entry(place).or_default().push(texture);
            }
            chosen.push(places.iter().map(|place| of_place[place]).collect());
        }
        all.holds = vec![None; all.textures.len()];
        (all, chosen)
    }

    /// Bytes of all of them.
    pub(super) fn bytes(&self) -> u64 {
        let rows: u64 = self.textures.iter().map(|t| u64::from(t.rows)).sum();
        rows * ROW_BYTES
    }

    /// How texture `texture` is bound.
    pub(super) fn view(&self, texture: usize) -> &wgpu::TextureView {
        &self.textures[texture].view
    }

    /// Whether the texture is up to date with the place.
    pub(super) fn holds(&self, texture: usize, place: Place) -> bool {
        self.holds[texture] == Some(place)
    }

    /// Copies the place's `len` numbers, which start at a byte of a buffer, into the texture.
    pub(super) fn copy(
        &mut self,
        encoder: &mut wgpu::CommandEncoder,
        texture: usize,
        (place, from, len): (Place, (&wgpu::Buffer, u64), usize),
    ) {
        self.textures[texture].copy(encoder, from, len);
        self.holds[texture] = Some(place);
    }

    /// Notes that a buffer is written: copies of it are out of date.
    pub(super) fn written(&mut self, place: Place) {
        for &texture in self.copies.get(&place).into_iter().flatten() {
            self.holds[texture].take_if(|held| *held == place);
        }
    }
}
