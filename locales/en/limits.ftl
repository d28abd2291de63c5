# When somebody comes too often.

limits-title = Please wait a moment
limits-what = Many requests came from your network at once, so we wait before we take more. Nothing was changed.
limits-todo = Try again in { $wait }.
limits-sign-ins = Too many sign-ins from your network went wrong, so we wait. Try again in { $wait }.
