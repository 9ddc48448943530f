//! `verify`: checks the kernels, measures how wide a network of a given depth must be, and reports what was found.

mod check;
mod provenance;
mod rows;

fn main() {
    let case = std::env::args().nth(1);
    let options = check::Options {
        quick: case.as_deref() == Some("quick"),
        case: case.filter(|c| c != "quick"),
        ..Default::default()
    };
    match check::run(&options, |_, _| ()) {
        Err(e) => eprintln!("{e}"),
        Ok(o) => {
            o.failures.iter().take(20).for_each(|f| println!("{f}"));
            println!(
                "{} cases, {} failed, worst {} {} long {} isas {:?} skipped {:?} {} s",
                o.cases,
                o.failed,
                o.worst_error_ratio,
                o.worst_case,
                o.worst_long_error_ratio,
                o.isas,
                o.skipped,
                o.seconds
            );
        }
    }
}
