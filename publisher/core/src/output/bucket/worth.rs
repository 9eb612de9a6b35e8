//! Pure: tells when a listing costs less than a look at each object.

/// Objects on a page of a listing, which is one request.
pub(super) const PAGE: u64 = 1000;

/// Fewer looks run side by side in the time of a listing.
const FEWEST: u64 = 16;

/// True if a listing of `listed` objects costs fewer requests than `looks` at single objects.
pub(in crate::output) fn is_worth_a_listing(looks: u64, listed: u64) -> bool {
    looks >= FEWEST && listed.div_ceil(PAGE) < looks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_is_worth_its_pages() {
        let rows = [
            (0, 0, false),
            (15, 15, false),
            (16, 16, true),
            (16, 15_000, true),
            (16, 15_001, false),
            (1_000_000, 1_000_000, true),
        ];
        for (looks, listed, expected) in rows {
            assert_eq!(
                is_worth_a_listing(looks, listed),
                expected,
                "{looks} looks, {listed} listed"
            );
        }
    }
}
