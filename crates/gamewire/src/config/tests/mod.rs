mod random;
mod scopes;
mod table;
mod values;
