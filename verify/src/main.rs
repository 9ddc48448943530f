//! `verify`: checks the kernels, measures how wide a network of a given depth must be, and reports what was found.

mod provenance;
mod report;
mod rows;

fn main() -> anyhow::Result<()> {
    let args: Vec<String> = std::env::args().collect();
    if let [_, command, rows, out] = args.as_slice()
        && command == "report"
    {
        let read = rows::read_rows(rows.as_ref())?;
        if let Some(note) = read.note {
            eprintln!("{note}");
        }
        let report = report::write(&read.rows, out.as_ref())?;
        for line in report.headlines {
            println!("{line}");
        }
        for path in report.paths {
            eprintln!("{}", path.display());
        }
    }
    Ok(())
}
