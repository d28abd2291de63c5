//! Epochs that reach far enough. What makes everything void that was issued until then says so with a
//! few seconds to spare; a commit that takes longer would let live what was issued meanwhile.

use rules::time::Timestamp;
use uuid::Uuid;

use super::follow;
use crate::app::App;
use crate::fault::Fault;
use crate::store::feed::{EPOCH_MARGIN, What};
use crate::store::{clients, users};

/// Whose epoch it is.
#[derive(Clone, Debug)]
pub(super) enum Whose {
    /// A person's.
    User(Uuid),
    /// A client's.
    Client(String),
}

/// Moves an epoch that was just committed on, until it reaches past the moment of its own commit.
pub(super) async fn outlast(app: &App, whose: Whose, epoch: Timestamp) -> Result<(), Fault> {
    let mut epoch = epoch;
    while app.clock.now().plus(EPOCH_MARGIN / 2) > epoch {
        let (clock, about) = (app.clock.clone(), whose.clone());
        epoch = app
            .store
            .write(move |tx| {
                Box::pin(async move {
                    let now = clock.now();
                    let epoch = now.plus(EPOCH_MARGIN);
                    match about {
                        Whose::User(id) => users::void(tx, id, now).await?,
                        Whose::Client(id) => {
                            if let Some(mut client) = clients::lock(tx, &id).await? {
                                client.valid_from = client.valid_from.max(Some(epoch));
                                clients::update(tx, &client, now).await?;
                            }
                            tx.announce(What::ClientEpoch(id), epoch);
                        }
                    }
                    Ok(epoch)
                })
            })
            .await?;
        if matches!(whose, Whose::Client(_)) {
            follow::reload_registry(app).await?;
        }
    }
    Ok(())
}
