# Recent activity: what happened, as the person reads it.

activity-title = Recent activity
activity-all = All activity
activity-reach = What happened in your account in the last 90 days.
activity-none = Nothing to show here.

activity-invited = We made an invitation for you
activity-activated = You set up your sign-in
activity-disabled = We stopped your account
activity-enabled = We opened your account again
activity-disputed = You said that something was not you, and everything was stopped
activity-password-changed = You changed your password
activity-password-ended = Your password was stopped after too many wrong attempts
activity-recovery-used = A recovery code was used
activity-recovery-replaced = You replaced your recovery codes
activity-change-refused = Someone tried to change your account from your browser, and was refused
activity-signed-in = You signed in with { $browser }
activity-signed-in-somewhere = You signed in
activity-sign-in-refused = Someone tried to sign in with your name, and was refused
activity-signed-out = You signed out a device
activity-signed-out-everywhere = You signed out everywhere
activity-session-ended = We signed out a device
activity-shared = You let { $app } do this:
activity-not-shared = You did not let { $app } in
activity-stopped = You stopped sharing with { $app }
activity-disconnected = We stopped the sharing with { $app }
activity-key-reused = We stopped access of { $app }: something it may use once was used twice
activity-something = Something in your account changed
