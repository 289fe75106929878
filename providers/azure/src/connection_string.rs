use slight_capabilities::{Error, Result, Secret};

/// The account of Azurite and its key, known to everybody.
const DEVELOPMENT: &str = "AccountName=devstoreaccount1;\
    AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==;\
    BlobEndpoint=http://127.0.0.1:10000/devstoreaccount1;QueueEndpoint=http://127.0.0.1:10001/devstoreaccount1";

/// What a connection string may say of blobs and queues.
#[derive(Default)]
pub(crate) struct ConnectionString {
    pub(crate) account: Option<String>,
    pub(crate) key: Option<Secret>,
    pub(crate) sas: Option<Secret>,
    pub(crate) blob_endpoint: Option<String>,
    pub(crate) queue_endpoint: Option<String>,
    /// Of the endpoints that follow from the account: `https`, unless it says otherwise.
    pub(crate) protocol: Option<String>,
    /// Of the endpoints that follow from the account: `core.windows.net`, unless it says otherwise.
    pub(crate) suffix: Option<String>,
}

impl ConnectionString {
    /// Reads pairs of names and values, `Name=value;Name=value`.
    ///
    /// # Errors
    /// `Invalid`, never with any of it.
    pub(crate) fn read(text: &str) -> Result<Self> {
        let mut read = Self::default();
        for pair in text.split(';').map(str::trim).filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').ok_or_else(odd)?;
            let value = value.to_owned();
            match name.to_ascii_lowercase().as_str() {
                "usedevelopmentstorage" if value == "true" => return Self::read(DEVELOPMENT),
                "accountname" => read.account = Some(value),
                "accountkey" => read.key = Some(Secret::new(value)),
                "sharedaccesssignature" => read.sas = Some(Secret::new(value)),
                "blobendpoint" => read.blob_endpoint = Some(value),
                "queueendpoint" => read.queue_endpoint = Some(value),
                "defaultendpointsprotocol" => read.protocol = Some(value),
                "endpointsuffix" => read.suffix = Some(value),
                // Of tables, files, and whatever comes.
                _ => {}
            }
        }
        Ok(read)
    }
}

fn odd() -> Error {
    Error::invalid("connection-string must be of the form AccountName=…;AccountKey=…;EndpointSuffix=…")
}
