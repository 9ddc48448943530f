//! Expectations of an activation under one or two normal variables.

use std::borrow::Cow;
use std::f64::consts::{FRAC_1_SQRT_2, PI};

use fathom_kernels::Activation;

use crate::quadrature::NormalRule;

/// E[sigma(u)], E[sigma(u) sigma(v)] and E[sigma'(u) sigma'(v)] for centred normal u and v.
///
/// Closed forms for ReLU (arc-cosine; Cho and Saul, 2009), erf (arc-sine; Williams, 1997) and the identity; otherwise
/// Gauss-Hermite quadrature, with as many nodes as it takes until doubling them changes nothing at variance 1. Where sigma's
/// singularities lie close to the real axis, or variables spread so far that they seem to, that rule converges slowly; there nodes lie
/// in equal steps, short enough for the nearest singularity. Where thousands would be needed (softplus with beta^2 times the variance
/// above 2852), nodes crowd around the lines u = 0 and v = 0 alone.
#[derive(Clone, Debug)]
pub struct Expectation {
    activation: Activation,
    rule: Option<Rule>,
}

/// A quadrature rule and the proof that it suffices.
#[derive(Clone, Debug)]
struct Rule {
    rule: NormalRule,
    nodes: usize,
    change: f64,
}

/// Nodes of Gauss and Hermite, from few to many.
const NODES: [usize; 4] = [48, 96, 192, 384];
/// What doubling the nodes may change E[sigma^2] and E[sigma'^2] by, relatively.
const TOLERANCE: f64 = 1e-13;

/// Equal steps, in units of sigma's strip: e^(-2 pi / STEP) is 1e-16.
const STEP: f64 = 0.17;
/// The shortest step, 2000 nodes; where shorter ones are asked for, nodes are graded.
const SHORTEST: f64 = 0.01;
/// The longest: the normal density asks for e^(-2 pi^2 / step^2) to be small.
const LONGEST: f64 = 0.5;

impl Expectation {
    /// By closed form where there is one, otherwise by quadrature.
    pub fn new(activation: Activation) -> Self {
        match activation {
            Activation::Relu | Activation::Erf | Activation::Identity => Self { activation, rule: None },
            _ => Self::by_quadrature(activation),
        }
    }

    /// By quadrature, whatever the activation.
    pub fn by_quadrature(activation: Activation) -> Self {
        let second_moments = |rule: &NormalRule| {
            let z = &rule.nodes;
            let (mut value, mut slope) = (vec![0.0; z.len()], vec![0.0; z.len()]);
            activation.apply(z, &mut value);
            activation.derivative(z, &mut slope);
            let mean = |x: &[f64]| x.iter().zip(&rule.weights).map(|(x, w)| w * x * x).sum::<f64>();
            [mean(&value), mean(&slope)]
        };
        let change_of = |rule: &NormalRule, finer: &NormalRule| {
            let moments = second_moments(rule).into_iter().zip(second_moments(finer));
            moments.map(|(coarse, fine)| (coarse / fine - 1.0).abs()).fold(0.0, f64::max)
        };
        let mut rule = NormalRule::gauss_hermite(NODES[0]);
        let mut nodes = NODES[0];
        let mut change = f64::INFINITY;
        for more in NODES[1..].iter().copied() {
            let finer = NormalRule::gauss_hermite(more);
            change = change_of(&rule, &finer);
            if change <= TOLERANCE {
                break;
            }
            (rule, nodes) = (finer, more);
        }
        if change > TOLERANCE {
            let finer;
            (rule, finer) = if is_graded(activation, 1.0) {
                let near = strip(activation);
                (NormalRule::graded(&[0.0], near), NormalRule::graded(&[0.0], 0.5 * near))
            } else {
                let step = equal_step(activation, 1.0);
                (NormalRule::equal_steps(step), NormalRule::equal_steps(0.5 * step))
            };
            nodes = rule.nodes.len();
            change = change_of(&rule, &finer);
        }
        Self { activation, rule: Some(Rule { rule, nodes, change }) }
    }

    /// Quadrature nodes at variance 1, and the relative change of the second moments when they are doubled; `None` for a closed form.
    pub fn convergence(&self) -> Option<(usize, f64)> {
        self.rule.as_ref().map(|rule| (rule.nodes, rule.change))
    }

    /// The rule for a variable that enters sigma times `spread`, by itself.
    pub(crate) fn rule(&self, spread: f64) -> Cow<'_, NormalRule> {
        self.rule_around(&[0.0], spread)
    }

    /// The rule for a variable that enters sigma times `spread`, where sigma's argument vanishes when the variable is at one of `zeros`.
    fn rule_around(&self, zeros: &[f64], spread: f64) -> Cow<'_, NormalRule> {
        let activation = self.activation;
        if is_graded(activation, spread) {
            return Cow::Owned(NormalRule::graded(zeros, strip(activation) / spread));
        }
        // Not beyond by mere rounding.
        if spread <= 1.0 + 1e-9 && !is_graded(activation, 1.0) {
            return Cow::Borrowed(&self.rule.as_ref().expect("closed forms ask for no rule").rule);
        }
        Cow::Owned(NormalRule::equal_steps(equal_step(activation, spread)))
    }

    /// Visits a grid over two independent normals x and y, of which u = s_u (a x + b y) and v = s_v (a x - b y), `spread` being the
    /// larger of s_u and s_v: each x with its weight, and the rule for y beside it.
    pub(crate) fn over_plane(&self, spread: f64, [a, b]: [f64; 2], mut visit: impl FnMut(f64, f64, &NormalRule)) {
        let xs = self.rule(spread * a);
        let apart = is_graded(self.activation, spread * b);
        let mut ys = self.rule_around(&[0.0], spread * b);
        for (&x, &weight) in xs.nodes.iter().zip(&xs.weights) {
            if apart {
                // u and v vanish at different y.
                ys = self.rule_around(&[-a * x / b, a * x / b], spread * b);
            }
            visit(x, weight, &ys);
        }
    }

    /// E[sigma(u)] for u of variance `var`.
    pub fn mean(&self, var: f64) -> f64 {
        match &self.rule {
            Some(_) => {
                let rule = self.rule(var.sqrt());
                let u: Vec<f64> = rule.nodes.iter().map(|z| var.sqrt() * z).collect();
                let mut value = vec![0.0; u.len()];
                self.activation.apply(&u, &mut value);
                value.iter().zip(&rule.weights).map(|(s, w)| s * w).sum()
            }
            None => match self.activation {
                Activation::Relu => (var / (2.0 * PI)).sqrt(),
                _ => 0.0,
            },
        }
    }

    /// E[sigma(u) sigma(v)] for Var u = `uu`, Cov(u, v) = `uv`, Var v = `vv`.
    pub fn product(&self, uu: f64, uv: f64, vv: f64) -> f64 {
        match &self.rule {
            Some(_) => self.quadrature([uu, uv, vv], |z, s| self.activation.apply(z, s)),
            None => match self.activation {
                Activation::Relu => {
                    let (size, angle) = angle(uu, uv, vv);
                    size / (2.0 * PI) * (angle.sin() + (PI - angle) * angle.cos())
                }
                Activation::Erf => {
                    let sine = 2.0 * uv / ((1.0 + 2.0 * uu) * (1.0 + 2.0 * vv)).sqrt();
                    2.0 / PI * sine.clamp(-1.0, 1.0).asin()
                }
                _ => uv,
            },
        }
    }

    /// E[sigma'(u) sigma'(v)] for the same u and v.
    pub fn slope_product(&self, uu: f64, uv: f64, vv: f64) -> f64 {
        match &self.rule {
            Some(_) => self.quadrature([uu, uv, vv], |z, s| self.activation.derivative(z, s)),
            None => match self.activation {
                Activation::Relu => (PI - angle(uu, uv, vv).1) / (2.0 * PI),
                Activation::Erf => {
                    let size = (uu * vv).sqrt();
                    // (1 + 2 uu) (1 + 2 vv) - 4 uv^2, of which the squares may all but cancel.
                    let squared = 1.0 + 2.0 * (uu + vv) + 4.0 * (size - uv) * (size + uv);
                    4.0 / (PI * squared.sqrt())
                }
                _ => 1.0,
            },
        }
    }

    /// E[g(u) g(v)] on the product grid of two independent normals, the sum and the difference of u and v once scaled: with
    /// one root for each, nothing is lost where u and v are nearly parallel.
    fn quadrature(&self, [uu, uv, vv]: [f64; 3], g: impl Fn(&[f64], &mut [f64])) -> f64 {
        let (su, sv) = (uu.sqrt(), vv.sqrt());
        let correlation = if su * sv > 0.0 { (uv / (su * sv)).clamp(-1.0, 1.0) } else { 0.0 };
        let (along, across) = ((1.0 + correlation).sqrt() * FRAC_1_SQRT_2, (1.0 - correlation).sqrt() * FRAC_1_SQRT_2);
        let [mut u, mut v, mut gu, mut gv] = [const { Vec::new() }; 4];
        let mut sum = 0.0;
        self.over_plane(su.max(sv), [along, across], |x, wx, ys| {
            for row in [&mut u, &mut v, &mut gu, &mut gv] {
                row.resize(ys.nodes.len(), 0.0);
            }
            for (y, (u, v)) in ys.nodes.iter().zip(u.iter_mut().zip(&mut v)) {
                *u = su * (along * x + across * y);
                *v = sv * (along * x - across * y);
            }
            g(&u, &mut gu);
            g(&v, &mut gv);
            let terms = gu.iter().zip(&gv).zip(&ys.weights);
            sum += wx * terms.map(|((a, b), wy)| wy * (a * b)).sum::<f64>();
        });
        sum
    }
}

/// The step between nodes for a variable that enters sigma times `spread`.
fn equal_step(activation: Activation, spread: f64) -> f64 {
    (STEP * strip(activation) / spread).clamp(SHORTEST, LONGEST)
}

/// Whether equal steps would be too short for a variable that enters sigma times `spread`.
fn is_graded(activation: Activation, spread: f64) -> bool {
    STEP * strip(activation) < SHORTEST * spread
}

/// How far from the real axis sigma is analytic, or, where it is so everywhere, remains small.
fn strip(activation: Activation) -> f64 {
    match activation {
        Activation::Softplus { beta } => PI / beta,
        Activation::Sigmoid | Activation::Silu => PI,
        Activation::Tanh => PI / 2.0,
        Activation::Erf | Activation::Gelu => 1.0,
        // A kink has no strip; a straight line needs none.
        Activation::Relu | Activation::Identity => 0.25,
    }
}

/// sqrt(uu vv), and the angle between u and v. From both sine and cosine, since acos alone loses half the digits near 0.
fn angle(uu: f64, uv: f64, vv: f64) -> (f64, f64) {
    let size = (uu * vv).sqrt();
    let sine = ((size - uv) * (size + uv)).max(0.0).sqrt();
    (size, sine.atan2(uv))
}

#[cfg(test)]
mod tests {
    use super::*;

    const COVARIANCES: [[f64; 3]; 6] =
        [[1.0, 0.0, 1.0], [1.0, 0.5, 1.0], [1.0, 1.0, 1.0], [0.7, -0.4, 1.3], [2.0, 1.4, 1.0], [1.0, -0.999, 1.0]];

    #[test]
    fn quadrature_agrees_with_the_arcsine_law() {
        let (closed, numeric) = (Expectation::new(Activation::Erf), Expectation::by_quadrature(Activation::Erf));
        let (nodes, change) = numeric.convergence().unwrap();
        assert!(nodes >= 48 && change <= TOLERANCE, "{nodes} nodes: {change:e}");
        for [uu, uv, vv] in COVARIANCES {
            let products = (closed.product(uu, uv, vv), numeric.product(uu, uv, vv));
            assert!((products.0 - products.1).abs() < 1e-12, "{uu} {uv} {vv}: {products:?}");
            let slopes = (closed.slope_product(uu, uv, vv), numeric.slope_product(uu, uv, vv));
            assert!((slopes.0 / slopes.1 - 1.0).abs() < 1e-10, "{uu} {uv} {vv}: {slopes:?}");
        }
    }

    #[test]
    fn variables_that_spread_far_have_their_expectations_too() {
        // Of erf, the arc-sine law; of softplus, E[sigma(u)^2] and E[sigma'(u)^2] in steps a tenth as long.
        let (closed, numeric) = (Expectation::new(Activation::Erf), Expectation::by_quadrature(Activation::Erf));
        for scale in [1.5, 10.0, 300.0] {
            for [uu, uv, vv] in COVARIANCES.map(|c| c.map(|x| scale * x)) {
                let products = (closed.product(uu, uv, vv), numeric.product(uu, uv, vv));
                assert!((products.0 - products.1).abs() < 1e-11, "{uu} {uv} {vv}: {products:?}");
                let slopes = (closed.slope_product(uu, uv, vv), numeric.slope_product(uu, uv, vv));
                assert!((slopes.0 / slopes.1 - 1.0).abs() < 1e-9, "{uu} {uv} {vv}: {slopes:?}");
            }
            let softplus = Expectation::new(Activation::SOFTPLUS);
            let fine = NormalRule::equal_steps(0.05 / f64::sqrt(scale));
            let by_hand = fine.mean(|z| (scale.sqrt() * z).exp().ln_1p().powi(2));
            let found = softplus.product(scale, scale, scale);
            assert!((found / by_hand - 1.0).abs() < 1e-12, "variance {scale}: {found}, not {by_hand}");
            let by_hand = fine.mean(|z| (1.0 + (-scale.sqrt() * z).exp()).powi(-2));
            let found = softplus.slope_product(scale, scale, scale);
            assert!((found / by_hand - 1.0).abs() < 1e-12, "variance {scale}: {found}, not {by_hand}");
        }
    }

    #[test]
    fn variables_that_spread_as_far_as_numbers_go_have_their_expectations_too() {
        let (closed, numeric) = (Expectation::new(Activation::Erf), Expectation::by_quadrature(Activation::Erf));
        let (softplus, relu) = (Expectation::new(Activation::SOFTPLUS), Expectation::new(Activation::Relu));
        for scale in [3e3, 1e5, 1e10] {
            for [uu, uv, vv] in COVARIANCES.map(|c| c.map(|x| scale * x)) {
                let products = (closed.product(uu, uv, vv), numeric.product(uu, uv, vv));
                assert!((products.0 - products.1).abs() < 1e-11, "{uu} {uv} {vv}: {products:?}");
                let slopes = (closed.slope_product(uu, uv, vv), numeric.slope_product(uu, uv, vv));
                assert!((slopes.0 / slopes.1 - 1.0).abs() < 1e-9, "{uu} {uv} {vv}: {slopes:?}");
                // From afar softplus is ReLU: all but at the kink, which is one over the variance of the plane.
                let products = (softplus.product(uu, uv, vv), relu.product(uu, uv, vv));
                assert!((products.0 - products.1).abs() < 2.0, "{uu} {uv} {vv}: {products:?}");
                if uv.abs() < 0.9 * (uu * vv).sqrt() {
                    let slopes = (softplus.slope_product(uu, uv, vv), relu.slope_product(uu, uv, vv));
                    assert!((slopes.0 - slopes.1).abs() < 2.0 / scale, "{uu} {uv} {vv}: {slopes:?}");
                }
            }
            // E sigma'^2 = 1/2 - E sigma'', and sigma'' is a bump of mass 1 and variance pi^2 / 3.
            let bump = (1.0 / (2.0 * PI * scale)).sqrt() * (1.0 - PI * PI / 6.0 / scale);
            let (found, expected) = (softplus.slope_product(scale, scale, scale), 0.5 - bump);
            assert!((found - expected).abs() < 30.0 / scale.powf(2.5) + 1e-14, "{scale}: {found}, not {expected}");
        }
    }

    #[test]
    fn a_sharp_softplus_is_a_wide_one() {
        // sigma_beta(u) = sigma_1(beta u) / beta.
        let (sharp, plain) =
            (Expectation::new("softplus:256".parse().unwrap()), Expectation::new(Activation::SOFTPLUS));
        let (nodes, change) = sharp.convergence().unwrap();
        assert!(change <= TOLERANCE, "{nodes} nodes: {change:e}");
        for [uu, uv, vv] in COVARIANCES {
            let [a, b, c] = [uu, uv, vv].map(|x| 65536.0 * x);
            let products = (65536.0 * sharp.product(uu, uv, vv), plain.product(a, b, c));
            assert!((products.0 / products.1 - 1.0).abs() < 1e-12, "{uu} {uv} {vv}: {products:?}");
            let slopes = (sharp.slope_product(uu, uv, vv), plain.slope_product(a, b, c));
            assert!((slopes.0 - slopes.1).abs() < 1e-13, "{uu} {uv} {vv}: {slopes:?}");
        }
    }

    #[test]
    fn quadrature_comes_near_the_arccosine_law() {
        // A kink: the error falls only as one over the nodes.
        let (closed, numeric) = (Expectation::new(Activation::Relu), Expectation::by_quadrature(Activation::Relu));
        for [uu, uv, vv] in COVARIANCES {
            assert!((closed.product(uu, uv, vv) - numeric.product(uu, uv, vv)).abs() < 5e-3);
        }
        assert!((closed.mean(2.0) - numeric.mean(2.0)).abs() < 5e-3);
    }

    /// The same by a rule of many nodes for both variables.
    fn by_a_fine_grid(activation: Activation, [uu, uv, vv]: [f64; 3]) -> [f64; 2] {
        let rule = NormalRule::equal_steps(0.02);
        let (su, sv) = (uu.sqrt(), vv.sqrt());
        let correlation = uv / (su * sv);
        let across = (1.0 - correlation * correlation).max(0.0).sqrt();
        let u: Vec<f64> = rule.nodes.iter().map(|x| su * x).collect();
        let [mut su_value, mut su_slope] = [0, 1].map(|_| vec![0.0; u.len()]);
        activation.apply(&u, &mut su_value);
        activation.derivative(&u, &mut su_slope);
        let mut sums = [0.0; 2];
        for (k, (x, wx)) in rule.nodes.iter().zip(&rule.weights).enumerate().filter(|(_, (_, wx))| **wx > 1e-20) {
            let v: Vec<f64> = rule.nodes.iter().map(|y| sv * (correlation * x + across * y)).collect();
            let [mut value, mut slope] = [0, 1].map(|_| vec![0.0; v.len()]);
            activation.apply(&v, &mut value);
            activation.derivative(&v, &mut slope);
            let mean = |g: &[f64]| g.iter().zip(&rule.weights).map(|(g, w)| g * w).sum::<f64>();
            sums[0] += wx * su_value[k] * mean(&value);
            sums[1] += wx * su_slope[k] * mean(&slope);
        }
        sums
    }

    #[test]
    fn a_finer_grid_gives_the_same_expectations() {
        for activation in ["softplus", "softplus:0.1", "softplus:0.25", "softplus:8", "tanh", "sigmoid", "gelu", "silu"]
        {
            let activation: Activation = activation.parse().unwrap();
            let used = Expectation::new(activation);
            let (nodes, change) = used.convergence().unwrap();
            assert!(change <= TOLERANCE, "{activation}: {nodes} nodes, {change:e}");
            for covariance in COVARIANCES.into_iter().chain([[1.1, 0.3, 1.1], [4.0, 3.9, 4.0]]) {
                let [uu, uv, vv] = covariance;
                let [product, slopes] = by_a_fine_grid(activation, covariance);
                let found = used.product(uu, uv, vv);
                assert!(
                    (found - product).abs() < 1e-11 * product.abs().max(1.0),
                    "{activation} {covariance:?}: {found} {product}"
                );
                let found = used.slope_product(uu, uv, vv);
                assert!((found - slopes).abs() < 1e-11, "{activation}' {covariance:?}: {found} {slopes}");
            }
        }
    }
}
