//! For a host application that has its own `MeterProvider`: the metrics of a store as observable instruments of its
//! meter, so that they leave with the application's own.
//!
//! Histograms are not offered: OpenTelemetry has no histogram that is observed, and one that is recorded would keep the
//! series of a removed check for ever. They leave with the store's own encoder ([`super::otlp`]) or over the page.
//! Series of observable instruments end when they are not observed. A reader gets what was observed for another reader
//! too, so where there are several, a removed series may come once more; with the second collection it is gone.
//!
//! Each collection of each reader costs some 300 ns a series. The SDK folds more than 2,000 series of one instrument into
//! one; a view of the provider can raise that.

use opentelemetry::KeyValue;
use opentelemetry::metrics::{AsyncInstrument, Meter};
use tokio::time::Instant;

use crate::model::{Definition, Instrument};

use super::otlp::attributes::Keys;
use super::series::Number;
use super::snapshot::Snapshot;
use super::store::Store;
use super::target::{AttributeValue, TARGET_INFO};

impl Store {
    /// Offers the metrics of `definitions`, all but histograms, to whoever reads `meter`, for as long as this store is
    /// there. Series may come and go.
    ///
    /// ```
    /// use opentelemetry::metrics::MeterProvider;
    ///
    /// let provider = opentelemetry_sdk::metrics::SdkMeterProvider::builder().build();
    /// let store = vitalsign::metrics::Store::new();
    /// store.offer(&provider.meter("vitalsign"), vitalsign::agent::definitions());
    /// ```
    ///
    /// The numbers of this machine are as old as the last page or push, which is when they are read.
    pub fn offer(&self, meter: &Meter, definitions: impl IntoIterator<Item = &'static Definition>) {
        for definition in definitions {
            let (name, help, unit) = (definition.name, definition.help, definition.unit);
            let observe = self.observer(definition);
            match definition.instrument {
                Instrument::Counter => {
                    let counter = meter.f64_observable_counter(name).with_description(help).with_unit(unit);
                    counter.with_callback(observe).build();
                }
                Instrument::UpDownCounter => {
                    let sum =
                        meter.f64_observable_up_down_counter(name).with_description(help).with_unit(unit);
                    sum.with_callback(observe).build();
                }
                Instrument::Gauge if definition.name == TARGET_INFO.name => {}
                Instrument::Gauge => {
                    let gauge = meter.f64_observable_gauge(name).with_description(help).with_unit(unit);
                    gauge.with_callback(observe).build();
                }
                Instrument::Histogram(_) => {}
            }
        }
    }

    /// Observes every series of `definition` that has a value.
    fn observer(&self, definition: &'static Definition) -> impl Fn(&dyn AsyncInstrument<f64>) + use<> {
        let (store, keys) = (self.weak(), Keys::new(definition));
        move |instrument| {
            let Some(store) = store() else { return };
            store.refresh(Instant::now());
            each(&store.snapshot(), definition, |labels, value| {
                let typed = |(name, value)| match value {
                    AttributeValue::Text(text) => KeyValue::new(name, text),
                    AttributeValue::Integer(number) => KeyValue::new(name, number),
                };
                let attributes: Vec<KeyValue> = keys.pairs(labels).map(typed).collect();
                instrument.observe(value, &attributes);
            });
        }
    }
}

/// Gives `each` the labels and the value of every series of `definition` that has one.
fn each(snapshot: &Snapshot, definition: &Definition, mut each: impl FnMut(&[u8], f64)) {
    let families = &snapshot.families;
    let found = families.binary_search_by_key(&definition.name, |family| family.shape.definition.name);
    let Some(family) = found.ok().and_then(|index| families.get(index)) else { return };
    for (series, (labels, _)) in family.series.iter().zip(family.labels()) {
        match series.value.number() {
            #[expect(clippy::cast_precision_loss, reason = "the instrument is one of floats")]
            Some(Number::Integer(count)) => each(labels, count as f64),
            Some(Number::Float(value)) => each(labels, value),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests;
