//! x
#![allow(missing_docs)]
mod bindings;
mod key_value { pub struct Bucket; pub struct Cas; }
mod blob { pub struct OutgoingValue; pub struct IncomingValue; pub struct Container; pub struct ObjectNames; }
mod messaging { pub struct Client; pub struct Message; pub struct RequestOptions; }
