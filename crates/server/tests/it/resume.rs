//! An enrolment goes on from another phone, over the wire.

use kyso_phone::Owner;
use kyso_store::testing::Database;

use crate::harness::{CAMPAIGN, Options, World};
use crate::refusals::code;

#[tokio::test(flavor = "multi_thread")]
async fn another_phone_goes_on_and_the_lost_one_is_shut_out() {
    for database in World::databases().await {
        goes_on(World::on(database, Options::default()).await).await;
    }
}

async fn goes_on(world: World) {
    let (lost, owner) = (world.phone(), Owner::invented(7));
    let enrolment = lost.enrol(CAMPAIGN).await.unwrap();
    lost.put_owner(&enrolment, &owner).await.unwrap();
    world.activate_by_sms(&lost, &enrolment, &owner).await;

    let other = world.phone();
    let stranger = "0866123456";
    let unknown = other.ask_to_resume(stranger).await.unwrap();
    let number = format!("+84{}", &owner.phone[1..]);
    let after = world.catcher.messages(&number).last().unwrap().id;
    let asked = other.ask_to_resume(&owner.phone).await.unwrap();
    let members = |answer: &serde_json::Value| -> Vec<String> {
        answer.as_object().unwrap().keys().cloned().collect()
    };
    assert_eq!(members(&unknown), members(&asked));
    let sent = world.code_to(&number, after).await;
    assert!(world.catcher.messages("+84866123456").is_empty());

    let id = asked["id"].as_str().unwrap();
    let wrong = format!("{:06}", (sent.parse::<u32>().unwrap() + 1) % 1_000_000);
    assert_eq!(code(other.resume(id, &wrong, &owner).await), "code-wrong");
    let unknown = unknown["id"].as_str().unwrap();
    assert_eq!(
        code(other.resume(unknown, &wrong, &owner).await),
        "code-wrong"
    );
    assert_eq!(code(other.resume("x", &sent, &owner).await), "code-none");
    let resumed = other.resume(id, &sent, &owner).await.unwrap();
    assert_eq!(resumed.id, enrolment.id);
    assert_eq!(code(other.resume(id, &sent, &owner).await), "code-none");
    assert_eq!(code(lost.enrolment(&enrolment).await), "session-invalid");
    let shown = other.enrolment(&resumed).await.unwrap();
    assert_eq!(shown["owner"]["full_name"], owner.full_name.as_str());
    other.pay(&resumed).await.unwrap();
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_network_asks_for_so_many_codes_and_no_more() {
    let options = Options {
        configuration: "[registration]\ncodes_per_network_hour = 2\n".into(),
        ..Options::default()
    };
    let world = World::on(Database::sqlite().await, options).await;
    let caller = world.phone();
    caller.ask_to_resume("0866123451").await.unwrap();
    // What is refused costs nothing.
    assert_eq!(
        code(caller.ask_to_resume("0866123451").await),
        "code-too-soon"
    );
    caller.ask_to_resume("0866123452").await.unwrap();
    assert_eq!(code(caller.ask_to_resume("0866123453").await), "code-limit");
    // The other door is the same.
    let owner = Owner::invented(8);
    let enrolment = caller.enrol(CAMPAIGN).await.unwrap();
    caller.put_owner(&enrolment, &owner).await.unwrap();
    assert_eq!(code(caller.ask_code(&enrolment, "sms").await), "code-limit");
    world.finish().await;
}
