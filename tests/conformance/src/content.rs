use bytes::Bytes;

/// Bytes that differ from place to place, and between seeds.
pub(crate) fn pattern(seed: u64, size: usize) -> Bytes {
    let mut content = Vec::with_capacity(size + size_of::<u64>());
    for number in 0u64.. {
        if content.len() >= size {
            break;
        }
        content.extend_from_slice(&(number ^ seed << 40).wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes());
    }
    content.truncate(size);
    content.into()
}
