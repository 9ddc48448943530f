//! Numbers as a reader wants them: few digits, real superscripts.

use crate::laws::Estimate;

/// `power` as superscript digits.
pub fn superscript(power: i32) -> String {
    const DIGITS: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    let sign = if power < 0 { "⁻" } else { "" };
    let digits = power.unsigned_abs().to_string();
    let raised: String = digits.bytes().map(|digit| DIGITS[usize::from(digit - b'0')]).collect();
    format!("{sign}{raised}")
}

/// 10^power.
pub fn decade(power: i32) -> String {
    format!("10{}", superscript(power))
}

/// `value` to so many significant digits; in powers of ten where plain digits would be long.
pub fn significant(value: f64, digits: usize) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    if value.is_nan() {
        return "not a number".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "∞" } else { "−∞" }.to_owned();
    }
    let sign = if value < 0.0 { "−" } else { "" };
    // Rounding may carry into the next decade (9.99 -> 10.0), so the exponent is read off the rounded number.
    let rounded = format!("{:.*e}", digits.saturating_sub(1), value.abs());
    let (mantissa, power) = rounded.split_once('e').unwrap_or((&rounded, "0"));
    let power: i32 = power.parse().unwrap_or(0);
    if (-3..6).contains(&power) {
        let decimals = (digits as i32 - 1 - power).max(0) as usize;
        let plain: f64 = rounded.parse().unwrap_or(value.abs());
        return format!("{sign}{}", grouped(&format!("{plain:.decimals$}")));
    }
    format!("{sign}{mantissa}×{}", decade(power))
}

/// A whole number with its thousands set apart.
pub fn whole(value: usize) -> String {
    grouped(&value.to_string())
}

/// An estimate as `value [low, high]`.
pub fn interval(estimate: &Estimate, digits: usize) -> String {
    let [value, low, high] = [estimate.value, estimate.low, estimate.high].map(|v| significant(v, digits));
    format!("{value} [{low}, {high}]")
}

/// An estimate as `value [low, high]` with so many decimals.
pub fn fixed_interval(estimate: &Estimate, decimals: usize) -> String {
    let fixed = |value: f64| {
        let digits = format!("{:.decimals$}", value.abs());
        let zero = digits.bytes().all(|byte| matches!(byte, b'0' | b'.'));
        if value < 0.0 && !zero { format!("−{digits}") } else { digits }
    };
    let [value, low, high] = [estimate.value, estimate.low, estimate.high].map(fixed);
    format!("{value} [{low}, {high}]")
}

/// An estimate as `value [low, high]`, with the digits that its interval makes worth reading: two of half its width.
pub fn telling(estimate: &Estimate) -> String {
    let half = (estimate.high - estimate.low) / 2.0;
    let decimals = 1.0 - half.log10().floor();
    if !(0.0..=6.0).contains(&decimals) || estimate.high.abs() >= 1e4 {
        return interval(estimate, 3);
    }
    fixed_interval(estimate, decimals as usize)
}

/// `text` with no line break around its relations and before its per cents.
pub fn unbroken(text: &str) -> String {
    let mut text = text.to_owned();
    for relation in ["=", "<", ">", "≤", "≥", "∝", "/", "−"] {
        text = text.replace(&format!(" {relation} "), &format!("\u{a0}{relation}\u{a0}"));
    }
    text.replace(" %", "\u{a0}%")
}

/// Sets groups of three digits apart by a thin no-break space, from five digits on.
fn grouped(plain: &str) -> String {
    let (digits, rest) = plain.find('.').map_or((plain, ""), |dot| plain.split_at(dot));
    if digits.len() < 5 {
        return plain.to_owned();
    }
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i) % 3 == 0 {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_significant_digits() {
        assert_eq!(significant(9.8604, 3), "9.86");
        assert_eq!(significant(9.999, 3), "10.0");
        assert_eq!(significant(0.001234, 3), "0.00123");
        assert_eq!(significant(-2.5, 2), "−2.5");
        assert_eq!(significant(1234.0, 3), "1230");
        assert_eq!(significant(123_456.0, 3), "123\u{202f}000");
        assert_eq!(significant(1.5e8, 2), "1.5×10⁸");
        assert_eq!(significant(3e-7, 1), "3×10⁻⁷");
        assert_eq!(significant(0.0, 3), "0");
        assert_eq!(significant(f64::INFINITY, 3), "∞");
    }

    #[test]
    fn fixed_decimals_have_no_negative_zero() {
        assert_eq!(fixed_interval(&Estimate { value: -0.001, low: -0.25, high: 1.0 }, 2), "0.00 [−0.25, 1.00]");
    }

    #[test]
    fn an_interval_decides_how_many_digits_are_shown() {
        let shown = |value, low, high| telling(&Estimate { value, low, high });
        assert_eq!(shown(0.99801, 0.99641, 0.99961), "0.9980 [0.9964, 0.9996]");
        assert_eq!(shown(9.97, 9.38, 10.57), "9.97 [9.38, 10.57]");
        assert_eq!(shown(46.4, 33.2, 63.9), "46 [33, 64]");
        assert_eq!(shown(3000.0, 10.0, 2e6), "3000 [10.0, 2.00×10⁶]");
        assert_eq!(shown(2.0, 2.0, 2.0), "2.00 [2.00, 2.00]");
    }

    #[test]
    fn superscripts_and_thousands() {
        assert_eq!(decade(-12), "10⁻¹²");
        assert_eq!(whole(4096), "4096");
        assert_eq!(whole(1_048_576), "1\u{202f}048\u{202f}576");
    }
}
