# Signing out because an app asks.

logout-asked = A website asks to sign you out here.
logout-failed = This sign-out link does not work
logout-failed-what = The app that sent you here made a mistake, so we stopped. You are not signed out here.
logout-failed-todo = You can sign out here yourself.
