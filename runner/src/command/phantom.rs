//! `runner phantom`.
