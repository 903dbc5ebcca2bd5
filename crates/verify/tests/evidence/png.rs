//! A picture like a window with a page in it, made here so that no file of bytes lies in the repository.

const WIDTH: usize = 640;
const HEIGHT: usize = 360;

/// A PNG in 256 greys: a rail, a bar, lines of text, and a block whose place depends on the number.
pub fn page(number: usize) -> Vec<u8> {
    let mut pixels = vec![0xf5_u8; WIDTH * HEIGHT];
    let mut fill = |left: usize, top: usize, width: usize, height: usize, grey: u8| {
        for row in top..top + height {
            pixels[row * WIDTH + left..row * WIDTH + left + width].fill(grey);
        }
    };
    fill(0, 0, WIDTH, 32, 0xff);
    fill(0, 32, 110, HEIGHT - 32, 0xe8);
    for line in 0..8 {
        fill(130, 110 + line * 24, 200 + (line * 37 + number * 13) % 280, 8, 0x90);
    }
    fill(130, 52, 480, 36, 0xd0);
    fill(500, 58, 100, 24, 0x30);
    // Each row begins with its filter, which is none.
    let rows: Vec<u8> = pixels.chunks(WIDTH).flat_map(|row| std::iter::once(0).chain(row.iter().copied())).collect();
    let mut head = Vec::new();
    head.extend((WIDTH as u32).to_be_bytes());
    head.extend((HEIGHT as u32).to_be_bytes());
    head.extend([8, 0, 0, 0, 0]);
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    chunk(&mut png, b"IHDR", &head);
    chunk(&mut png, b"IDAT", &stored(&rows));
    chunk(&mut png, b"IEND", &[]);
    png
}

fn chunk(png: &mut Vec<u8>, name: &[u8; 4], data: &[u8]) {
    png.extend((data.len() as u32).to_be_bytes());
    let body = [name.as_slice(), data].concat();
    png.extend(&body);
    png.extend(crc32(&body).to_be_bytes());
}

/// zlib without compression.
fn stored(data: &[u8]) -> Vec<u8> {
    let mut out = vec![0x78, 0x01];
    let blocks = data.chunks(65_535).count();
    for (index, block) in data.chunks(65_535).enumerate() {
        let length = block.len() as u16;
        out.push(u8::from(index + 1 == blocks));
        out.extend(length.to_le_bytes());
        out.extend((!length).to_le_bytes());
        out.extend(block);
    }
    let (mut low, mut high) = (1_u32, 0_u32);
    for byte in data {
        low = (low + u32::from(*byte)) % 65_521;
        high = (high + low) % 65_521;
    }
    out.extend((high << 16 | low).to_be_bytes());
    out
}

fn crc32(data: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in data {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    !crc
}
