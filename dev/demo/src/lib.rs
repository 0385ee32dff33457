//! What the demo and the benchmarks share: a provider driven by the commands an operator would type, invented pictures,
//! and the stage that tells what happens.

pub mod card;
pub mod provider;
pub mod stage;
