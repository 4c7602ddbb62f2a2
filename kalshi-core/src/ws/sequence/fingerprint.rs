//! Fingerprint of a frame, stored instead of the frame to detect repeats.

/// Length and hash of a frame, to recognize one that was sent twice.
///
/// The hash is fast but not cryptographic: it is not secure against frames that an attacker constructs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fingerprint {
    length: usize,
    hash: u64,
}

const MULTIPLIER: u64 = 0x9E37_79B9_7F4A_7C15;

const LANES: usize = 4;
const WORD: usize = 8;

/// Each step is a bijection of the lane, so strings that differ in one word always have different hashes.
fn mix(lane: u64, word: u64) -> u64 {
    (lane.rotate_left(27) ^ word).wrapping_mul(MULTIPLIER)
}

fn absorb(lanes: &mut [u64; LANES], block: &[u8; LANES * WORD]) {
    let (words, _) = block.as_chunks::<WORD>();
    for (lane, word) in lanes.iter_mut().zip(words) {
        *lane = mix(*lane, u64::from_le_bytes(*word));
    }
}

impl Fingerprint {
    /// Computes the fingerprint of a frame.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        // The lanes are independent, so that the processor computes them in parallel.
        let mut lanes = [1, 2, 3, 4];
        let (blocks, rest) = text.as_bytes().as_chunks::<{ LANES * WORD }>();
        for block in blocks {
            absorb(&mut lanes, block);
        }
        let mut last = [0; LANES * WORD];
        for (to, from) in last.iter_mut().zip(rest) {
            *to = *from;
        }
        absorb(&mut lanes, &last);
        Self {
            length: text.len(),
            hash: lanes.into_iter().fold(0, mix),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_that_differ_in_one_byte_have_different_fingerprints() {
        let text = "0123456789".repeat(20);
        for length in 0..text.len() {
            let text = &text[..length];
            let copy = text.to_owned();
            assert_eq!(Fingerprint::from_text(text), Fingerprint::from_text(&copy));
            for index in 0..length {
                let mut other = text.to_owned();
                other.replace_range(index..=index, "x");
                assert_ne!(Fingerprint::from_text(text), Fingerprint::from_text(&other));
            }
        }
        assert_ne!(Fingerprint::from_text("a"), Fingerprint::from_text("a\0"));
    }
}
