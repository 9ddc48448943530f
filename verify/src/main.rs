//! `verify`: checks the kernels, measures how wide a network of a given depth must be, and reports what was found.

mod check;
mod provenance;
mod rows;

fn main() -> anyhow::Result<()> {
    let case = std::env::args().nth(1);
    let quick = case.as_deref() == Some("quick");
    let options = check::Options { quick, case: case.filter(|_| !quick), ..Default::default() };
    let outcome = check::run(&options, |_, _| ())?;
    outcome.failures.iter().take(20).for_each(|failure| println!("{failure}"));
    println!(
        "worst error {:.3} of its bound ({}); {:.3} for sums of {} products and more",
        outcome.worst_error_ratio,
        outcome.worst_case,
        outcome.worst_long_error_ratio,
        check::LONG
    );
    let row = rows::Row::Checked(outcome.row(provenance::Provenance::here()));
    println!("{}", serde_json::to_string(&row)?);
    std::process::exit(i32::from(!outcome.passed()));
}
