//! A file with a sample or a label a row.

use std::path::Path;

use super::DatasetError;

/// What a file holds.
pub(super) enum Table {
    /// One number after another: a .npy file of one dimension.
    Line(Vec<f64>),
    /// Rows.
    Rows(Vec<Vec<f64>>),
}

impl Table {
    /// A sample a row, of the file at `path`.
    ///
    /// # Errors
    /// When it has one dimension.
    pub fn samples(self, path: &Path) -> Result<Vec<Vec<f64>>, DatasetError> {
        match self {
            Self::Rows(rows) => Ok(rows),
            Self::Line(line) => Err(DatasetError::Format {
                path: path.to_owned(),
                message: format!("the array has shape [{}]; samples need two dimensions, one sample a row", line.len()),
            }),
        }
    }
}

/// The numbers of a .csv or .npy file.
///
/// # Errors
/// When the file cannot be read or holds anything but numbers.
pub(super) fn read_table(path: &Path) -> Result<Table, DatasetError> {
    match path.extension().and_then(|e| e.to_str()) {
        Some("csv") => read_csv(path).map(Table::Rows),
        Some("npy") => read_npy(path),
        _ => Err(DatasetError::Extension(path.to_owned())),
    }
}

fn read_csv(path: &Path) -> Result<Vec<Vec<f64>>, DatasetError> {
    let format = |message: String| DatasetError::Format { path: path.to_owned(), message };
    let file = std::fs::File::open(path).map_err(|source| DatasetError::Read { path: path.to_owned(), source })?;
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .comment(Some(b'#'))
        .trim(csv::Trim::All)
        .from_reader(file);
    let mut rows = Vec::new();
    for (line, record) in reader.records().enumerate() {
        let record = record.map_err(|error| format(error.to_string()))?;
        let parsed: Vec<Option<f64>> = record.iter().map(|field| field.parse().ok()).collect();
        if line == 0 && parsed.iter().all(Option::is_none) {
            continue;
        }
        let number = |(j, x): (usize, Option<f64>)| {
            let field = record.get(j).unwrap_or_default().to_owned();
            x.ok_or(DatasetError::NotANumber { row: rows.len() + 1, column: j + 1, field })
        };
        let row = parsed.into_iter().enumerate().map(number).collect::<Result<_, _>>()?;
        rows.push(row);
    }
    Ok(rows)
}

fn read_npy(path: &Path) -> Result<Table, DatasetError> {
    let format = |message: String| DatasetError::Format { path: path.to_owned(), message };
    let bytes = std::fs::read(path).map_err(|source| DatasetError::Read { path: path.to_owned(), source })?;
    if bytes.is_empty() {
        return Err(DatasetError::Empty);
    }
    let npy = npyz::NpyFile::new(&bytes[..]).map_err(|error| format(error.to_string()))?;
    let (shape, order) = (npy.shape().to_vec(), npy.order());
    // Of more elements than the file has bytes, the header lies.
    let size = shape.iter().try_fold(1u64, |size, &extent| size.checked_mul(extent));
    if size.is_none_or(|size| size > bytes.len() as u64) {
        return Err(format(format!("the array has shape {shape:?}, more than the file holds")));
    }
    let (rows, cols) = match *shape.as_slice() {
        [_] => return npy_values(npy).map(Table::Line).map_err(format),
        [_, 0] => return Err(DatasetError::Empty),
        [rows, cols] => (rows as usize, cols as usize),
        _ => return Err(format(format!("the array has shape {shape:?}; one sample a row takes two dimensions"))),
    };
    let values = npy_values(npy).map_err(format)?;
    let at = |i: usize, j: usize| if order == npyz::Order::C { values[i * cols + j] } else { values[j * rows + i] };
    Ok(Table::Rows((0..rows).map(|i| (0..cols).map(|j| at(i, j)).collect()).collect()))
}

/// The array's values in file order, from any of the usual number types.
fn npy_values(npy: npyz::NpyFile<&[u8]>) -> Result<Vec<f64>, String> {
    fn all<T: npyz::Deserialize>(npy: npyz::NpyFile<&[u8]>, to: impl Fn(T) -> f64) -> Result<Vec<f64>, String> {
        let values = npy.into_vec::<T>().map_err(|error| error.to_string())?;
        Ok(values.into_iter().map(to).collect())
    }
    let kind = match npy.dtype() {
        npyz::DType::Plain(plain) => (plain.type_char(), plain.num_bytes()),
        other => return Err(format!("cannot read elements of type {}", other.descr())),
    };
    match kind {
        (npyz::TypeChar::Float, Some(8)) => all::<f64>(npy, |x| x),
        (npyz::TypeChar::Float, Some(4)) => all::<f32>(npy, f64::from),
        (npyz::TypeChar::Int, Some(8)) => all::<i64>(npy, |x| x as f64),
        (npyz::TypeChar::Int, Some(4)) => all::<i32>(npy, f64::from),
        (npyz::TypeChar::Uint, Some(1)) => all::<u8>(npy, f64::from),
        _ => Err("elements must be float32, float64, int32, int64 or uint8".to_owned()),
    }
}
