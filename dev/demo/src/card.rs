//! Pictures of an invented identity card and face: plain drawings, made here, of nobody.

use crate::stage::Failure;

/// A PNG of 1000 × 630 pixels in the proportions of a card: bands of colour, so that it is plainly no photograph.
pub fn drawing(seed: u8) -> Result<Vec<u8>, Failure> {
    let (width, height) = (1000u32, 630u32);
    let mut pixels = Vec::with_capacity((width * height * 3) as usize);
    for y in 0..height {
        for x in 0..width {
            let band = ((x / 40 + y / 30) % 5) as u8;
            pixels.extend_from_slice(&[
                seed.wrapping_add(band * 12),
                120 + band * 20,
                200 - band * 15,
            ]);
        }
    }
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.write_header()?.write_image_data(&pixels)?;
    Ok(bytes)
}
