//! Bytes that are large and predictable.

/// FNV-1a over 64 bits, and the number of bytes: tells whether two streams are the same without
/// keeping them. `Display` is what `/digest` paths print.
pub struct Digest {
    hash: u64,
    length: u64,
}

impl Default for Digest {
    fn default() -> Self {
        Self { hash: 0xcbf2_9ce4_8422_2325, length: 0 }
    }
}

impl Digest {
    pub fn update(&mut self, bytes: &[u8]) {
        self.length += bytes.len() as u64;
        for byte in bytes {
            self.hash = (self.hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    /// `{"length": …, "fnv1a": "16 hexadecimal digits"}`
    pub fn json(&self) -> serde_json::Value {
        serde_json::json!({ "length": self.length, "fnv1a": format!("{:016x}", self.hash) })
    }
}

/// Fills a buffer with the bytes that stand at `offset` of an endless pattern with the period 251:
/// a prime, so that no shift by a block size looks the same.
pub fn fill(buffer: &mut [u8], offset: u64) {
    for (byte, position) in buffer.iter_mut().zip(offset..) {
        *byte = (position % 251) as u8;
    }
}
