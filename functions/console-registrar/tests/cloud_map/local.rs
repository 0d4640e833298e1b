//! In services of the local AWS.

use aws_sdk_servicediscovery::Client;
use aws_sdk_servicediscovery::types::Tag;
use console_registrar::registry::cloud_map::{CloudMap, Settings};
use console_registrar::registry::{Address, IfStill, Put, Registry, Trouble};
use sandbox::{Options, Sandbox};

use crate::{config, entry, listed, put};

/// A new service, in a namespace of its own.
async fn service(client: &Client, name: &str) -> (String, String) {
    client.create_http_namespace().name(name).send().await.unwrap();
    let namespaces = client.list_namespaces().send().await.unwrap().namespaces.unwrap();
    let namespace = namespaces.into_iter().find(|namespace| namespace.name() == Some(name)).unwrap();
    let create = client.create_service().name("agents").namespace_id(namespace.id.unwrap());
    let service = create.send().await.unwrap().service.unwrap();
    (service.id.unwrap(), service.arn.unwrap())
}

#[tokio::test]
async fn agents_come_move_and_go() {
    let sandbox = Sandbox::start(Options::default(), |_| ()).await.unwrap();
    let client = Client::from_conf(config().endpoint_url(sandbox.endpoint()).build());
    let (service, _) = service(&client, "life").await;
    let registry = CloudMap::new(client.clone(), &Settings { service: service.clone() });
    let calls = || sandbox.door().call_count();

    registry.check().await.unwrap();
    assert_eq!(listed(&registry).await, []);
    let before = calls();
    registry.put(&put("Agent-1", "10.0.0.1", IfStill::Absent)).await.unwrap();
    assert_eq!(calls() - before, 3, "look, register, see it done");
    let before = calls();
    registry.put(&put("Agent-1", "10.0.0.1", IfStill::Absent)).await.unwrap();
    assert_eq!(calls() - before, 1, "a put that is repeated only looks");
    registry.put(&put("Agent-2", "10.0.0.2", IfStill::Absent)).await.unwrap();
    assert_eq!(listed(&registry).await, [entry("Agent-1", "10.0.0.1"), entry("Agent-2", "10.0.0.2")]);

    let overtaken = registry.put(&put("Agent-1", "10.0.0.9", IfStill::Absent)).await;
    assert!(matches!(overtaken, Err(Trouble::Overtaken(_))), "{overtaken:?}");
    let overtaken = registry.put(&put("Agent-3", "10.0.0.9", IfStill::Present(None))).await;
    assert!(matches!(overtaken, Err(Trouble::Overtaken(_))), "{overtaken:?}");
    registry.put(&put("Agent-1", "10.0.0.9", IfStill::Present(None))).await.unwrap();
    let overtaken = registry.remove(&entry("Agent-1", "10.0.0.1")).await;
    assert!(matches!(overtaken, Err(Trouble::Overtaken(_))), "it moved meanwhile: {overtaken:?}");
    registry.remove(&entry("Agent-1", "10.0.0.9")).await.unwrap();
    registry.remove(&entry("Agent-1", "10.0.0.9")).await.unwrap();
    assert_eq!(listed(&registry).await, [entry("Agent-2", "10.0.0.2")]);

    for (agent, host, said) in [("a b", "10.0.0.1", "cannot be the id"), ("Agent-1", "::1", "is no IPv4 address")] {
        let refused = registry.put(&put(agent, host, IfStill::Absent)).await.unwrap_err();
        assert!(matches!(&refused, Trouble::Refused(text) if text.contains(said)), "{refused:?}");
    }

    client.delete_service().id(&service).send().await.unwrap();
    assert_eq!(listed(&registry).await, [], "with the service all of it is gone");
    registry.remove(&entry("Agent-2", "10.0.0.2")).await.unwrap();
    for refused in [registry.put(&put("Agent-1", "10.0.0.1", IfStill::Absent)).await, registry.check().await] {
        assert!(matches!(&refused, Err(Trouble::Refused(text)) if text.contains("ServiceNotFound")), "{refused:?}");
    }
    sandbox.stop().await.unwrap();
}

#[tokio::test]
async fn what_is_of_others_stays() {
    let sandbox = Sandbox::start(Options::default(), |_| ()).await.unwrap();
    let client = Client::from_conf(config().endpoint_url(sandbox.endpoint()).build());
    let (service, _) = service(&client, "others").await;
    let registry = CloudMap::new(client.clone(), &Settings { service: service.clone() });
    let register = |agent: &str| client.register_instance().service_id(&service).instance_id(agent);
    register("Agent-1").attributes("AWS_INSTANCE_IPV4", "10.9.9.9").send().await.unwrap();
    register("Agent-2")
        .attributes("AWS_INSTANCE_IPV4", "10.9.9.8")
        .attributes("AWS_INSTANCE_PORT", "1")
        .send()
        .await
        .unwrap();

    let found = listed(&registry).await;
    assert_eq!((&found[0].address, &found[0].owner), (&None, &None), "an address without a port is none");
    assert_eq!(found[1].address, Some(Address { host: "10.9.9.8".to_owned(), port: 1 }));
    let overtaken = registry.put(&put("Agent-1", "10.0.0.1", IfStill::Absent)).await;
    assert!(matches!(overtaken, Err(Trouble::Overtaken(_))), "{overtaken:?}");
    assert!(matches!(registry.remove(&entry("Agent-1", "10.9.9.9")).await, Err(Trouble::Overtaken(_))));
    assert_eq!(listed(&registry).await, found);

    // Who was told to adopt it says that it is there. What bears another's mark is never taken.
    registry.put(&put("Agent-1", "10.0.0.1", IfStill::Present(None))).await.unwrap();
    let theirs = Put { owner: "another".to_owned(), ..put("Agent-1", "10.0.0.2", IfStill::Present(None)) };
    let overtaken = registry.put(&theirs).await;
    assert!(matches!(overtaken, Err(Trouble::Overtaken(_))), "{overtaken:?}");
    sandbox.stop().await.unwrap();
}

#[tokio::test]
async fn a_service_that_ecs_keeps_is_refused() {
    let sandbox = Sandbox::start(Options::default(), |_| ()).await.unwrap();
    let client = Client::from_conf(config().endpoint_url(sandbox.endpoint()).build());
    let (connect, arn) = service(&client, "connect").await;
    let tag = Tag::builder().key("AmazonECSManaged").value("true").build().unwrap();
    client.tag_resource().resource_arn(arn).tags(tag).send().await.unwrap();
    let (discovery, _) = service(&client, "discovery").await;
    let register = client.register_instance().service_id(&discovery).instance_id("0123");
    let register = register.attributes("ECS_SERVICE_NAME", "billing").attributes("AWS_INSTANCE_IPV4", "10.0.0.1");
    register.send().await.unwrap();
    for (service, said) in [(connect, "the tag AmazonECSManaged"), (discovery, "instances of billing")] {
        let refused = CloudMap::new(client.clone(), &Settings { service }).check().await.unwrap_err();
        assert!(matches!(&refused, Trouble::Refused(text) if text.contains(said)), "{refused:?}");
    }
    sandbox.stop().await.unwrap();
}
