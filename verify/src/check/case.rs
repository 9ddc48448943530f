//! What the cases have in common: a name, an element type, and a run under every instruction set.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use fathom_kernels::{Blocks, Isa, Parallelism, Real, gemm::Tuning};

use super::convolution::Convolution;
use super::gemm::Product;
use super::oracle::{Against, Finding, Oracles, Verdict};
use super::stored::Stored;

/// An element type, as a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dtype {
    /// `f32`.
    F32,
    /// `f64`.
    F64,
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F32 => f32::NAME,
            Self::F64 => f64::NAME,
        })
    }
}

/// How a case is run: none of it may change a bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct How {
    /// Block sizes, where they are not the default ones.
    pub blocks: Option<Blocks>,
    /// Whether it is run in [`Runner::pool`] as well as on the calling thread.
    pub threads: bool,
}

impl How {
    /// Default blocks, one thread.
    pub const PLAIN: Self = Self { blocks: None, threads: false };
}

impl fmt::Display for How {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(Blocks { mc, kc, nc }) = self.blocks {
            write!(f, "-mc{mc}kc{kc}nc{nc}")?;
        }
        if self.threads { f.write_str("-threads") } else { Ok(()) }
    }
}

/// One entry of the table: to be run under every instruction set.
#[derive(Clone, Debug, PartialEq)]
pub enum Case {
    /// A matrix product.
    Product(Product),
    /// A convolution, or one of its gradients.
    Convolution(Convolution),
}

impl Case {
    /// The case's element type.
    pub fn dtype(&self) -> Dtype {
        match self {
            Self::Product(case) => case.dtype,
            Self::Convolution(case) => case.dtype,
        }
    }

    /// The name, with the instruction set if there is one: it tells everything that the case is made of.
    pub fn name(&self, isa: Option<Isa>) -> String {
        let isa = isa.map_or_else(String::new, |isa| format!("-{isa}"));
        match self {
            Self::Product(case) => format!("gemm-{}{isa}-{case}", case.dtype),
            Self::Convolution(case) => format!("conv-{}-{}{isa}-{case}", case.pass, case.dtype),
        }
    }

    /// Runs the case under every instruction set, in the runner's order.
    pub fn run(&self, runner: &Runner) -> Vec<Verdict> {
        match (self, self.dtype()) {
            (Self::Product(case), Dtype::F32) => case.run::<f32>(runner, &self.name(None)),
            (Self::Product(case), Dtype::F64) => case.run::<f64>(runner, &self.name(None)),
            (Self::Convolution(case), Dtype::F32) => case.run::<f32>(runner, &self.name(None)),
            (Self::Convolution(case), Dtype::F64) => case.run::<f64>(runner, &self.name(None)),
        }
    }
}

/// What cases are run on.
pub struct Runner {
    /// Instruction sets, all of which the CPU has.
    pub isas: Vec<Isa>,
    /// Three threads on any machine, so that parts are uneven; absent if they could not be started.
    pub pool: Option<rayon::ThreadPool>,
}

impl Runner {
    /// Calls `kernel` under every instruction set, on one thread and on several as `how` asks, and judges each result.
    pub fn judge<T: Real, const N: usize>(
        &self,
        how: How,
        oracles: &Oracles<T, N>,
        kernel: impl Fn(&Tuning, &mut Stored<T, N>, Parallelism) + Sync,
    ) -> Vec<Verdict> {
        let judge = |isa: Isa| {
            let tuning = Tuning { blocks: how.blocks, ..Tuning::on(isa) };
            let mut verdict = judge_call(oracles, |out| kernel(&tuning, out, Parallelism::Serial));
            if let (true, Some(pool)) = (how.threads, &self.pool) {
                let threaded = judge_call(oracles, |out| pool.install(|| kernel(&tuning, out, Parallelism::Rayon)));
                verdict.add_threaded(threaded);
            }
            verdict
        };
        self.isas.iter().map(|&isa| judge(isa)).collect()
    }
}

/// Judges what `kernel` makes of a fresh copy of the output; a panic is a finding.
fn judge_call<T: Real, const N: usize>(
    oracles: &Oracles<T, N>,
    kernel: impl FnOnce(&mut Stored<T, N>) + Send,
) -> Verdict {
    let mut out = oracles.before.clone();
    // A kernel that panics leaves at worst a half-written `out`, which is then not looked at.
    match catch_unwind(AssertUnwindSafe(|| kernel(&mut out))) {
        Ok(()) => oracles.judge(&out),
        Err(payload) => {
            let message = payload.downcast_ref::<String>().cloned();
            let message = message.or_else(|| payload.downcast_ref::<&str>().map(|&text| text.to_owned()));
            let finding = Finding {
                against: Against::Panic,
                element: "all".to_owned(),
                found: message.unwrap_or_else(|| "no message".to_owned()),
                expected: "a result".to_owned(),
                count: oracles.textbook.len(),
            };
            Verdict { findings: vec![finding], ..Verdict::default() }
        }
    }
}
