//! Sales in the bucket `sales`: each under its own key, as `<item>=<quantity>`.

use crate::wasi::keyvalue::batch;
use crate::wasi::keyvalue::store::{self, Error};
use std::collections::BTreeMap;

const BUCKET: &str = "sales";
const SALES: [(&str, &str); 4] =
    [("sale/1", "apples=3"), ("sale/2", "pears=2"), ("sale/3", "apples=4"), ("sale/4", "plums=12")];

/// Books the sales; how many there were. To book them again changes nothing.
pub fn book() -> Result<usize, String> {
    let sales = SALES.map(|(key, sale)| (key.to_owned(), sale.as_bytes().to_vec()));
    let bucket = store::open(BUCKET).map_err(sentence)?;
    batch::set_many(&bucket, &sales).map_err(sentence)?;
    Ok(sales.len())
}

/// How much of each item was sold, by the item's name.
pub fn totals() -> Result<BTreeMap<String, u64>, String> {
    let keys = SALES.map(|(key, _)| key.to_owned());
    let bucket = store::open(BUCKET).map_err(sentence)?;
    let mut totals = BTreeMap::new();
    for (key, value) in batch::get_many(&bucket, &keys).map_err(sentence)?.into_iter().flatten() {
        let sale = String::from_utf8_lossy(&value);
        let (item, quantity) = sale
            .split_once('=')
            .and_then(|(item, quantity)| Some((item, quantity.parse::<u64>().ok()?)))
            .ok_or_else(|| format!("`{key}` in the bucket `{BUCKET}` is no sale"))?;
        *totals.entry(item.to_owned()).or_default() += quantity;
    }
    Ok(totals)
}

fn sentence(error: Error) -> String {
    match error {
        Error::NoSuchStore => {
            format!("the place where the bucket `{BUCKET}` is kept does not exist")
        }
        Error::AccessDenied => {
            format!("the configuration gives no access to the bucket `{BUCKET}`")
        }
        Error::Other(sentence) => sentence,
    }
}
